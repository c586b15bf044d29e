"""Which alert explains which: dependencies, Alertmanager's rules, circles, and patience."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.causes import Causes, Knowledge
from stewardmon.domain.inhibition import Health, InhibitRule, Watched, dependencies
from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.muting import Mute, MuteKind
from stewardmon.domain.rule import AlertRule
from tests.support.builders import at, firing

PROBES = (
    Watched(name="app", job="app", depends_on=("database",), takes=timedelta(minutes=1)),
    Watched(name="database", job="database", depends_on=("network",)),
    Watched(name="network", job="network"),
)
MINUTE = timedelta(minutes=1)


def rule(name: str, *needs: str) -> AlertRule:
    return AlertRule(name=name, expr="x", group="alerts", depends_on=needs)


def alert(name: str, **labels: str) -> Alert:
    return replace(firing(name, **labels), rule=rule(name).key)


def causes(
    *alerts: Alert,
    rules: tuple[AlertRule, ...] = (),
    inhibit: tuple[InhibitRule, ...] = (),
    failing: tuple[str, ...] = (),
    memory: timedelta = timedelta(0),
) -> Causes:
    def health(probe: str, now: datetime) -> Health:
        down = probe in failing
        return Health(success=not down, asked_at=now, failed_at=now if down else None)

    known = Knowledge(
        dependencies=dependencies(rules, PROBES),
        probes={one.name: one for one in PROBES},
        rules=inhibit,
        holds={one.key: MINUTE for one in rules},
        memory={one.key: memory for one in rules},
    )
    found = Causes(known, health=health)
    found.take(alerts)
    return found


APP = alert("AppDown", probe="app", job="app")
DATABASE = alert("DatabaseDown", probe="database", job="database")
NETWORK = alert("NetworkDown", probe="network", job="network")


def kind(mute: Mute | None) -> MuteKind | None:
    return None if mute is None else mute.kind


def test_a_failing_dependency_explains_and_the_root_is_named() -> None:
    known = causes(APP, DATABASE, NETWORK, failing=("app", "database", "network"))
    mute = known.why(APP, now=at(minutes=5))
    assert mute is not None
    assert (mute.kind, mute.by, mute.cause) == (
        MuteKind.INHIBITION, "NetworkDown", NETWORK.fingerprint
    )  # fmt: skip
    assert known.why(NETWORK, now=at(minutes=5)) is None


def test_an_alert_about_a_probe_that_is_well_explains_nothing() -> None:
    known = causes(APP, DATABASE, failing=("app",))
    assert known.why(APP, now=at(minutes=5)) is None


def test_a_warning_does_not_stand_for_a_page() -> None:
    mild = alert("CertificateOld", probe="database", job="database", severity="warning")
    known = causes(APP, mild, failing=("database",))
    assert known.why(APP, now=at(minutes=5)) is None
    assert kind(known.why(replace(APP, labels=APP.labels.merged({"severity": "info"})),
                          now=at(minutes=5))) is MuteKind.INHIBITION  # fmt: skip


def test_another_region_has_nothing_to_do_with_it() -> None:
    here = alert("AppDown", probe="app", job="app", region="eu")
    there = alert("DatabaseDown", probe="database", job="database", region="us")
    known = causes(here, there, failing=("database",))
    assert known.why(here, now=at(minutes=5)) is None


def test_a_rule_depends_on_a_rule_by_name() -> None:
    rules = (rule("Slow", "Broken"), rule("Broken"))
    slow, broken = alert("Slow", job="web"), alert("Broken", job="api")
    assert kind(causes(slow, broken, rules=rules).why(slow, now=at(minutes=9))) is (
        MuteKind.INHIBITION
    )
    assert causes(slow, rules=rules).why(slow, now=at(minutes=9)) is None


def test_a_symptom_waits_for_a_pending_cause_but_not_for_ever() -> None:
    rules = (rule("Slow", "Broken"), rule("Broken"))
    slow = alert("Slow", job="web")
    pending = replace(alert("Broken", job="api"), state=AlertState.PENDING, fired_at=None)
    known = causes(slow, pending, rules=rules)
    assert kind(known.why(slow, now=at(seconds=119))) is MuteKind.CAUSE_PENDING
    assert known.why(slow, now=at(seconds=120)) is None


def test_what_is_over_still_explains_what_a_window_remembers() -> None:
    rules = (rule("Slow", "Broken"), rule("Broken"))
    slow = alert("Slow", job="web")
    over = replace(
        alert("Broken", job="api"), state=AlertState.RESOLVED, resolved_at=at(minutes=10)
    )
    known = causes(slow, over, rules=rules, memory=5 * MINUTE)
    assert kind(known.why(slow, now=at(minutes=15))) is MuteKind.INHIBITION
    assert known.why(slow, now=at(minutes=15, seconds=31)) is None
    later = replace(slow, active_at=at(minutes=11))
    assert known.why(later, now=at(minutes=12)) is None


def test_an_answer_that_was_asked_for_before_its_cause_was_over_is_explained() -> None:
    needs = rule("AppDown", "DatabaseDown")
    over = replace(DATABASE, state=AlertState.RESOLVED, resolved_at=at(minutes=5))
    for seconds, explained in ((30, True), (61, False)):
        late = at(minutes=5) + timedelta(seconds=seconds)
        symptom = replace(APP, active_at=late, fired_at=late)
        known = causes(symptom, over, rules=(needs,), memory=10 * MINUTE)
        assert (known.why(symptom, now=at(minutes=7)) is not None) is explained


def test_our_own_alerts_are_never_explained() -> None:
    own = alert("StewardmonStoreFailing", job="stewardmon", probe="app")
    known = causes(own, DATABASE, failing=("database",))
    assert not known.may_explain(own)
    assert known.why(own, now=at(minutes=5)) is None


CRITICAL = Matcher("severity", Op.EQUAL, "critical")
WARNING = Matcher("severity", Op.EQUAL, "warning")
SAME_HOST = InhibitRule(name="r", source=(CRITICAL,), target=(WARNING,), equal=("instance",))


def test_an_inhibition_rule_wants_equal_labels() -> None:
    down = alert("Down", instance="a")
    here, there = (alert("Slow", instance=one, severity="warning") for one in "ab")
    known = causes(down, here, there, inhibit=(SAME_HOST,))
    assert kind(known.why(here, now=at())) is MuteKind.INHIBITION
    assert known.why(there, now=at()) is None
    known.take((), gone=(down.fingerprint,))
    assert known.why(here, now=at()) is None


def test_alerts_on_both_sides_of_a_rule_do_not_inhibit_each_other() -> None:
    everything = InhibitRule(name="r", source=(CRITICAL,), target=(CRITICAL,))
    one, other = alert("A"), alert("B")
    known = causes(one, other, inhibit=(everything,))
    assert known.why(one, now=at()) is None
    assert known.why(other, now=at()) is None


def test_in_a_circle_the_one_that_fired_first_pages() -> None:
    names = ("A", "B", "C")
    circle = tuple(
        InhibitRule(
            name=f"{cause}{symptom}",
            source=(Matcher("alertname", Op.EQUAL, cause),),
            target=(Matcher("alertname", Op.EQUAL, symptom),),
        )
        for cause, symptom in zip(names, names[1:] + names[:1], strict=True)
    )
    alerts = [
        replace(alert(name), fired_at=at(seconds=second)) for second, name in enumerate(names)
    ]
    known = causes(*alerts, inhibit=circle)
    muted = [known.why(one, now=at(minutes=1)) is not None for one in alerts]
    assert muted == [False, True, True]


pairs = st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), max_size=12)


def test_of_several_causes_one_that_needs_nothing_is_no_part_of_a_circle() -> None:
    down, key = rule("Down", "Key"), rule("Key")
    mine = replace(alert("Down", probe="network", job="network"), rule=down.key)
    other = replace(alert("Key", probe="database", job="database"), rule=key.key)
    root = replace(alert("Key", probe="network", job="network"), rule=key.key)
    fired = [replace(one, fired_at=at(minutes=n)) for n, one in enumerate((mine, other, root))]
    known = causes(*fired, rules=(down, key), failing=("network", "database"))
    paged = [one.fingerprint for one in fired if known.why(one, now=at(minutes=5)) is None]
    assert paged == [root.fingerprint]


@given(edges=pairs, order=st.permutations("ABCDE"))
def test_whatever_explains_whatever_somebody_is_paged(
    edges: list[tuple[str, str]], order: list[str]
) -> None:
    """No mutes without an alert that pages, and every mute names one that does."""
    rules = tuple(
        InhibitRule(
            name=str(place),
            source=(Matcher("alertname", Op.EQUAL, cause),),
            target=(Matcher("alertname", Op.EQUAL, symptom),),
        )
        for place, (cause, symptom) in enumerate(edges)
    )
    alerts = [
        replace(alert(name), fired_at=at(seconds=second)) for second, name in enumerate(order)
    ]
    known = causes(*alerts, inhibit=rules)
    mutes = {one.fingerprint: known.why(one, now=at(minutes=1)) for one in alerts}
    loud = {mark for mark, mute in mutes.items() if mute is None}
    assert loud
    assert all(mute.cause in loud for mute in mutes.values() if mute is not None)


def test_needs_are_followed_through_rules_and_probes() -> None:
    known = dependencies((rule("Slow", "app"),), PROBES)
    assert known.rules == {rule("Slow").key: frozenset({"app", "database", "network"})}
    assert known.jobs["app"] == frozenset({"database", "network"})
    assert known.of(replace(firing("X", job="app"), rule="other")) == {"database", "network"}
    assert known.of(DATABASE) == {"network"}
