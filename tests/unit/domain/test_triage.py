"""Which incident an alert belongs to: opening, joining, leaving, coming back, flapping, muting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stewardmon.domain import answers, escalation, triage
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.answers import By
from stewardmon.domain.incident import EventKind, Incident, IncidentState
from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.muting import Mute, MuteKind
from stewardmon.domain.route import Route
from stewardmon.domain.step import Step
from stewardmon.domain.triage import Flapping
from tests.support.builders import BOOK, EVERYBODY, MATRIX, at, firing

DEV = By(who="dev", at=at(minutes=2))
SILENCED = Mute(kind=MuteKind.SILENCE, by="s1", reason="deploy")


def admitted(*alerts: Alert, known: Incident | None = None, **after: float) -> Step:
    (arrival,) = triage.arrivals(alerts, BOOK.routes)
    return triage.admit(arrival, known, book=BOOK, now=at(**after))


def over(incident: Incident, *, flapping: Flapping = BOOK.flapping, **after: float) -> Step:
    gone = [
        replace(one, state=AlertState.RESOLVED, resolved_at=at(**after))
        for one in incident.alerts.values()
    ]
    return triage.depart(incident, gone, flapping=flapping, now=at(**after))


def paged(incident: Incident, **after: float) -> Step:
    return escalation.step(incident, roster=EVERYBODY, now=at(**after))


def test_alerts_of_one_name_become_one_incident() -> None:
    found = triage.arrivals([firing(job="a"), firing(job="b"), firing("Other")], BOOK.routes)
    assert sorted(len(one.alerts) for one in found) == [1, 2]


def test_the_first_route_that_accepts_wins() -> None:
    warnings = Route(
        name="w", policy="matrix", matchers=(Matcher("severity", Op.EQUAL, "warning"),)
    )
    routes = (warnings, *BOOK.routes)
    found = triage.arrivals([firing(severity="warning"), firing()], routes)
    assert {one.route.name for one in found} == {"w", "all"}


def test_an_alert_that_no_route_wants_opens_nothing() -> None:
    none = Route(name="n", policy="matrix", matchers=(Matcher("job", Op.EQUAL, "x"),))
    assert triage.arrivals([firing()], (none,)) == ()


def test_a_critical_incident_never_waits_and_a_warning_gathers_first() -> None:
    critical = admitted(firing()).incident
    warning = admitted(firing(severity="warning")).incident
    assert critical.next_step_at == at()
    assert warning.next_step_at == at(seconds=30)


def test_opening_takes_a_snapshot_of_the_policy() -> None:
    incident = admitted(firing()).incident
    assert incident.policy == MATRIX


def test_a_second_alert_joins_without_a_second_page() -> None:
    first = paged(admitted(firing(job="a")).incident).incident
    joined = admitted(firing(job="b"), known=first, minutes=1)
    assert len(joined.incident.alerts) == 2
    assert joined.calls == ()
    assert paged(joined.incident, minutes=1).calls == ()


def test_the_worst_severity_counts() -> None:
    first = admitted(firing(job="a", severity="warning")).incident
    assert admitted(firing(job="b"), known=first).incident.severity == "critical"


def test_a_worse_alert_begins_the_matrix_anew_and_at_once() -> None:
    waiting = admitted(firing(job="a", severity="warning")).incident
    assert waiting.next_step_at == at(seconds=30)
    raised = admitted(firing(job="b"), known=waiting, seconds=5)
    assert raised.incident.next_step_at == at(seconds=5)
    assert [event.kind for event in raised.events] == [EventKind.JOINED, EventKind.RAISED]


def test_whoever_took_the_lesser_is_paged_for_the_worse() -> None:
    paging = paged(admitted(firing(job="a", severity="warning")).incident, minutes=1).incident
    taken = answers.acknowledge(paging, By(who="dev", at=at(minutes=2))).incident
    raised = admitted(firing(job="b"), known=taken, minutes=3)
    assert raised.incident.state is IncidentState.OPEN
    assert "dev had the lesser" in raised.events[-1].detail
    assert [call.address.person for call in paged(raised.incident, minutes=3).calls] == ["dev"]


def test_an_equal_alert_leaves_an_acknowledgement_alone() -> None:
    taken = answers.acknowledge(paged(admitted(firing(job="a")).incident).incident, DEV).incident
    assert admitted(firing(job="b"), known=taken, minutes=3).incident.acknowledged_by == "dev"


def test_a_policy_without_levels_says_in_the_timeline_that_nobody_is_paged() -> None:
    book = replace(BOOK, policies={"matrix": replace(MATRIX, levels=())})
    (arrival,) = triage.arrivals([firing()], book.routes)
    opened = triage.admit(arrival, None, book=book, now=at())
    assert opened.events[-1].detail == "policy matrix has no levels: nobody is paged"
    assert opened.incident.next_step_at is None


def test_it_is_over_with_its_last_alert_and_everybody_called_is_told() -> None:
    incident = paged(admitted(firing(job="a"), firing(job="b")).incident).incident
    one = triage.depart(
        incident, [next(iter(incident.alerts.values()))], flapping=BOOK.flapping, now=at(minutes=1)
    )
    assert one.incident.open
    assert one.calls == ()
    last = over(one.incident, minutes=2)
    assert last.incident.state is IncidentState.RESOLVED
    assert [call.address.person for call in last.calls] == ["dev"]


def test_one_that_comes_back_soon_is_the_same_and_pages_again() -> None:
    first = over(paged(admitted(firing()).incident).incident, minutes=5).incident
    again = admitted(firing(), known=first, minutes=6)
    assert again.incident.id == first.id
    assert [event.kind for event in again.events] == [EventKind.REOPENED]
    assert len(paged(again.incident, minutes=6).calls) == 1


def test_one_that_comes_back_late_is_new() -> None:
    first = over(paged(admitted(firing()).incident).incident, minutes=5).incident
    assert admitted(firing(), known=first, minutes=8).incident.id != first.id


def test_flapping_is_said_once_and_then_waits_until_it_is_steady() -> None:
    incident = paged(admitted(firing()).incident).incident
    pages = []
    for flip in range(1, 8):
        incident = over(incident, minutes=flip).incident
        incident = admitted(firing(), known=incident, minutes=flip).incident
        moved = paged(incident, minutes=flip)
        pages.append(len(moved.calls))
        incident = moved.incident
    assert pages == [1, 1, 1, 1, 0, 0, 0]
    assert len(paged(incident, minutes=7 + 2).calls) == 1


def test_recoveries_of_a_flapping_incident_are_not_told_each_time() -> None:
    incident = replace(paged(admitted(firing()).incident).incident, flips=4)
    gone = over(incident, minutes=1)
    assert gone.calls == ()
    assert gone.incident.next_step_at == at(minutes=3)


def test_the_end_of_a_flapping_incident_is_told_once_it_has_stayed_away() -> None:
    incident = replace(paged(admitted(firing()).incident).incident, flips=4)
    gone = over(incident, minutes=1).incident
    told = paged(gone, minutes=3)
    assert [call.event.value for call in told.calls] == ["resolved"]
    assert told.incident.next_step_at is None
    assert paged(told.incident, minutes=9).calls == ()


def test_an_incident_rests_while_all_its_alerts_are_muted() -> None:
    incident = paged(admitted(firing(job="a"), firing(job="b")).incident).incident
    marks = list(incident.alerts)
    half = triage.mute(incident, {marks[0]: SILENCED}, now=at(minutes=1))
    assert half.events == ()
    whole = triage.mute(incident, dict.fromkeys(marks, SILENCED), now=at(minutes=1)).incident
    assert whole.muted_by
    assert whole.next_step_at is None
    assert paged(whole, hours=5).calls == ()


def test_when_the_mute_ends_the_matrix_begins_anew() -> None:
    incident = paged(admitted(firing()).incident).incident
    mark = next(iter(incident.alerts))
    muted = triage.mute(incident, {mark: SILENCED}, now=at(minutes=1)).incident
    heard = triage.mute(muted, {}, now=at(hours=2)).incident
    assert [call.level for call in paged(heard, hours=2).calls] == [1]


def test_a_muted_incident_that_ends_still_tells_those_who_had_been_called() -> None:
    incident = paged(admitted(firing()).incident).incident
    mark = next(iter(incident.alerts))
    muted = triage.mute(incident, {mark: SILENCED}, now=at(minutes=1)).incident
    assert [call.address.person for call in over(muted, minutes=2).calls] == ["dev"]


def test_a_symptom_is_shown_once_on_its_cause() -> None:
    incident = admitted(firing()).incident
    cause = Mute(kind=MuteKind.INHIBITION, by="Database Issues", reason="the database is down")
    first = triage.symptom(incident, firing("High Error Rate", job="app"), cause, now=at())
    again = triage.symptom(first.incident, firing("High Error Rate", job="app"), cause, now=at())
    assert first.incident.symptoms == ("High Error Rate app",)
    assert again.events == ()


def test_a_rule_s_own_level_starts_the_matrix_higher() -> None:
    book = replace(BOOK, levels={firing().rule: 3})
    (arrival,) = triage.arrivals([firing()], book.routes)
    incident = triage.admit(arrival, None, book=book, now=at()).incident
    assert [call.level for call in paged(incident).calls] == [3]


def test_ids_are_those_a_replay_would_choose() -> None:
    assert admitted(firing()).incident.id == admitted(firing()).incident.id
    assert admitted(firing(), seconds=1).incident.id != admitted(firing()).incident.id


def test_a_group_of_everything_puts_each_alert_into_its_own_incident() -> None:
    alone = Route(name="alone", policy="matrix", group_by=("...",), group_wait=timedelta(0))
    found = triage.arrivals([firing(job="a"), firing(job="b")], (alone,))
    assert len({one.key for one in found}) == 2
    assert found[0].group != Labels()
