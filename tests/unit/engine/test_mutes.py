"""Muting for many alerts: what it answers, and that it costs next to nothing."""

from __future__ import annotations

from time import perf_counter

from stewardmon.domain.alert import Alert
from stewardmon.domain.causes import Knowledge
from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.maintenance import Maintenance, Once
from stewardmon.domain.muting import MuteKind
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.silence import Silence
from stewardmon.engine.mutes import MuteRules, Mutes
from tests.support.builders import at, firing

MANY = 10_000
PASS_MS = 50


def silence(ident: str, name: str, value: str) -> Silence:
    return Silence(
        id=ident,
        matchers=(Matcher(name, Op.EQUAL, value),),
        starts_at=at(),
        ends_at=at(hours=1),
        updated_at=at(),
    )


def seen(*alerts: Alert) -> tuple[Mutes, dict[str, Alert]]:
    mutes = Mutes(SeriesStore(), dict)
    mutes.saw(alerts)
    return mutes, {one.fingerprint: one for one in alerts}


def test_a_silence_mutes_what_it_matches_for_as_long_as_it_holds() -> None:
    quiet, loud = firing("A", job="app"), firing("B", job="web")
    mutes, alerts = seen(quiet, loud)
    mutes.set_silences([silence("s", "job", "app")])
    assert list(mutes.among(alerts, now=at())) == [quiet.fingerprint]
    assert mutes.among(alerts, now=at(hours=1)) == {}
    mutes.set_silences([])
    assert mutes.among(alerts, now=at()) == {}
    assert mutes.why(quiet, now=at()) is None


def test_an_alert_that_comes_later_is_judged_too() -> None:
    mutes, alerts = seen(firing("A", job="web"))
    mutes.set_silences([silence("s", "job", "app")])
    assert mutes.among(alerts, now=at()) == {}
    late = firing("B", job="app")
    mutes.saw([late])
    assert list(mutes.among({**alerts, late.fingerprint: late}, now=at())) == [late.fingerprint]
    mutes.saw([], gone=[late.fingerprint])
    assert mutes.among(alerts, now=at()) == {}


def test_our_own_alerts_are_kept_from_paging_by_silences_only() -> None:
    own = firing("StewardmonStoreFailing", job="stewardmon")
    mutes, _ = seen(own)
    span = Once(at(), at(hours=1))
    mutes.set_windows([Maintenance(id="m", name="all", matchers=(), span=span)])
    assert mutes.why(own, now=at()) is None
    mutes.set_silences([silence("s", "job", "stewardmon")])
    why = mutes.why(own, now=at())
    assert why is not None
    assert why.kind is MuteKind.SILENCE


def test_a_pass_over_many_alerts_is_fast() -> None:
    alerts = [firing(f"A{n % 50}", job="app", instance=f"i{n}") for n in range(MANY)]
    mutes, by_mark = seen(*alerts)
    source, target = (Matcher("severity", Op.EQUAL, one) for one in ("critical", "warning"))
    rules = (InhibitRule(name="r", source=(source,), target=(target,), equal=("instance",)),)
    mutes.change(MuteRules(knowledge=Knowledge(rules=rules)))
    mutes.set_silences([silence(str(n), "instance", f"i{n}") for n in range(10)])
    assert len(mutes.among(by_mark, now=at())) == 10
    best = min(_timed(mutes, by_mark, second) for second in range(1, 6))
    assert best < PASS_MS / 1000


def _timed(mutes: Mutes, alerts: dict[str, Alert], second: int) -> float:
    started = perf_counter()
    assert len(mutes.among(alerts, now=at(seconds=second))) == 10
    return perf_counter() - started
