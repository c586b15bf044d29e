"""The matrix on plain values: who is called when, and what stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from stewardmon.domain import answers, escalation, triage
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import EventKind, Incident, IncidentState
from stewardmon.domain.oncall import QuietHours, Roster
from stewardmon.domain.policy import Policy
from stewardmon.domain.step import Step
from tests.support.builders import BOOK, EVERYBODY, MATRIX, ROUTE, at, firing, person, roster


def opened(book: triage.Book = BOOK) -> Incident:
    """Return an incident that has just opened, before anybody was called."""
    arrival = triage.Arrival(
        route=ROUTE, group=firing().labels.only("alertname"), alerts=(firing(),)
    )
    return triage.admit(arrival, None, book=book, now=at()).incident


def step(incident: Incident, *, roster: Roster = EVERYBODY, **after: float) -> Step:
    return escalation.step(incident, roster=roster, now=at(**after))


def called(moved: Step) -> list[str]:
    return [f"L{call.level} {call.address.person}" for call in moved.calls]


def kinds(moved: Step) -> list[EventKind]:
    return [event.kind for event in moved.events]


def test_levels_are_called_at_their_times_until_the_last_repeats() -> None:
    incident = opened()
    heard: list[tuple[int, str]] = []
    for minute in range(181):
        moved = step(incident, minutes=minute)
        heard += [(minute, one) for one in called(moved)]
        incident = moved.incident
    assert heard == [
        (0, "L1 dev"), (30, "L2 senior"), (60, "L3 lead"), (120, "L4 cto"), (150, "L4 cto"),
        (180, "L4 cto"),
    ]  # fmt: skip


def test_the_next_deadline_is_written_down_at_every_step() -> None:
    first = step(opened()).incident
    assert first.next_step_at == at(minutes=30)
    second = step(first, minutes=30).incident
    assert second.next_step_at == at(minutes=60)


def test_levels_missed_while_nothing_ran_are_called_once_each() -> None:
    moved = step(step(opened()).incident, minutes=70)
    assert called(moved) == ["L2 senior", "L3 lead"]
    assert called(step(moved.incident, minutes=71)) == []


def test_reminders_missed_while_nothing_ran_are_made_up_for_by_one() -> None:
    incident = step(step(opened()).incident, hours=2).incident
    assert called(step(incident, hours=9)) == ["L4 cto"]
    assert step(incident, hours=9).incident.next_step_at == at(hours=9, minutes=30)


def test_a_level_without_anybody_to_reach_is_skipped_at_once() -> None:
    nobody = roster(person("senior"), person("lead"), person("cto"))
    moved = step(opened(), roster=nobody)
    assert called(moved) == ["L2 senior"]
    assert kinds(moved) == [EventKind.SKIPPED, EventKind.PAGED]
    assert moved.incident.next_step_at == at(hours=1)


def test_a_person_whose_channel_is_gone_counts_as_unreachable() -> None:
    moved = step(opened(), roster=replace(EVERYBODY, channels=frozenset({"mail"})))
    assert called(moved) == ["L1 dev"]
    assert moved.calls[0].address.channel == "mail"


def test_with_nobody_reachable_it_says_so_and_tries_again() -> None:
    empty = roster()
    moved = step(opened(), roster=empty)
    assert EventKind.EXHAUSTED in kinds(moved)
    assert moved.incident.next_step_at == at(minutes=5)
    later = step(moved.incident, minutes=5)
    assert called(later) == ["L1 dev"]
    assert later.cancels == "round 2 of the matrix has begun"


def test_trying_again_to_reach_anybody_fills_no_timeline() -> None:
    incident = step(opened(), roster=roster()).incident
    heard: list[EventKind] = []
    for minute in range(0, 600, 5):
        moved = step(incident, roster=roster(), minutes=minute)
        heard += kinds(moved)
        incident = moved.incident
    assert heard == []
    assert called(step(incident, minutes=600)) == ["L1 dev"]


def test_a_warning_in_everybody_s_quiet_hours_waits_for_the_morning() -> None:
    night = QuietHours(start=time(22), end=time(7))  # in Berlin: until 06:00 UTC, three hours on
    people = [person(one, quiet_hours=night) for one in ("dev", "senior", "lead", "cto")]
    plain = replace(MATRIX, repeat_last=None)
    incident = replace(opened(), severity="warning", policy=plain)
    heard: list[tuple[int, str]] = []
    for minute in range(0, 240, 5):
        moved = step(incident, roster=roster(*people), minutes=minute)
        heard += [(minute, one) for one in called(moved)]
        incident = moved.incident
    assert heard == [(180, "L1 dev"), (210, "L2 senior")]


def test_a_matrix_in_which_every_delivery_fails_begins_anew_instead_of_spinning() -> None:
    incident = step(opened()).incident
    heard: list[str] = []
    for _ in range(3):
        moved = escalation.pass_on(incident, roster=EVERYBODY, now=at(seconds=9))
        heard += called(moved)
        incident = moved.incident
    assert heard == ["L2 senior", "L3 lead", "L4 cto"]
    last = escalation.pass_on(incident, roster=EVERYBODY, now=at(seconds=9))
    assert called(last) == []
    assert kinds(last) == [EventKind.EXHAUSTED]
    assert last.incident.next_step_at == at(minutes=5, seconds=9)
    assert called(step(last.incident, minutes=6)) == ["L1 dev"]


def test_to_escalate_what_somebody_has_never_takes_it_from_them() -> None:
    taken = answers.acknowledge(step(opened()).incident, By(who="dev", at=at(minutes=1)))
    by = By(who="dev", at=at(minutes=2), reason="need help")
    moved = answers.escalate(taken.incident, by, roster=roster())
    assert called(moved) == []
    assert moved.incident.acknowledged_by == "dev"


def test_an_acknowledgement_stops_everything_at_once() -> None:
    incident = step(opened()).incident
    taken = answers.acknowledge(incident, By(who="dev", at=at(minutes=5)))
    assert taken.cancels
    assert taken.incident.state is IncidentState.ACKNOWLEDGED
    assert called(step(taken.incident, minutes=59)) == []


def test_an_acknowledgement_is_told_to_those_who_were_called_but_not_to_whoever_gave_it() -> None:
    incident = step(step(opened()).incident, minutes=30).incident
    taken = answers.acknowledge(incident, By(who="dev", at=at(minutes=31)))
    assert [call.address.person for call in taken.calls] == ["senior"]


def test_a_second_acknowledgement_changes_nothing() -> None:
    taken = answers.acknowledge(step(opened()).incident, By(who="dev", at=at()))
    again = answers.acknowledge(taken.incident, By(who="lead", at=at(minutes=1)))
    assert again == Step(incident=taken.incident)


def test_an_acknowledged_incident_that_still_fires_calls_again_from_level_1() -> None:
    taken = answers.acknowledge(step(opened()).incident, By(who="dev", at=at(minutes=5)))
    assert taken.incident.next_step_at == at(minutes=65)
    moved = step(taken.incident, minutes=65)
    assert called(moved) == ["L1 dev"]
    assert moved.incident.next_step_at == at(minutes=95)
    assert kinds(moved)[0] is EventKind.ACK_TIMEOUT


def test_calls_of_a_new_round_have_keys_of_their_own() -> None:
    first = step(opened())
    taken = answers.acknowledge(first.incident, By(who="dev", at=at()))
    second = step(taken.incident, minutes=60)
    assert first.calls[0].dedup_key("i") != second.calls[0].dedup_key("i")


def test_a_snooze_rests_until_its_end_and_then_calls_anew() -> None:
    incident = step(opened()).incident
    asleep = answers.snooze(incident, By(who="dev", at=at(minutes=1)), until=at(hours=3))
    assert called(step(asleep.incident, hours=2)) == []
    assert called(step(asleep.incident, hours=3)) == ["L1 dev"]


def test_given_back_it_calls_level_1_at_once() -> None:
    taken = answers.acknowledge(step(opened()).incident, By(who="dev", at=at())).incident
    back = answers.unacknowledge(taken, By(who="dev", at=at(minutes=2)), roster=EVERYBODY)
    assert called(back) == ["L1 dev"]


def test_escalating_by_hand_calls_the_next_level_now() -> None:
    incident = step(opened()).incident
    moved = answers.escalate(incident, By(who="dev", at=at(minutes=2)), roster=EVERYBODY)
    assert called(moved) == ["L2 senior"]
    assert moved.incident.next_step_at == at(hours=1)


def test_a_resolved_incident_takes_no_more_answers() -> None:
    over = answers.resolve(step(opened()).incident, By(who="dev", at=at())).incident
    with pytest.raises(AnswerError, match="was resolved by dev"):
        answers.acknowledge(over, By(who="dev", at=at()))


def test_quiet_hours_keep_warnings_away_but_never_critical_pages() -> None:
    sleeper = person("dev", quiet_hours=QuietHours(start=time(22), end=time(7)))
    people = roster(sleeper, person("senior"), person("lead"), person("cto"))
    warning = replace(opened(), severity="warning")
    assert called(step(warning, roster=people)) == ["L2 senior"]
    assert called(step(opened(), roster=people)) == ["L1 dev"]


def test_a_route_that_stops_at_level_1_repeats_level_1() -> None:
    narrow = MATRIX.narrowed(levels=(1,))
    incident = replace(opened(), policy=narrow)
    first = step(incident)
    assert called(step(first.incident, minutes=30)) == ["L1 dev"]


def test_a_rule_may_start_higher() -> None:
    moved = step(replace(opened(), policy=MATRIX.narrowed(start=3)))
    assert called(moved) == ["L3 lead"]
    assert moved.incident.next_step_at == at(hours=1)


def test_a_policy_without_levels_never_loops() -> None:
    incident = replace(opened(), policy=Policy(name="empty", levels=()))
    assert step(incident).incident.next_step_at is None


def test_an_unreachable_level_pulls_the_next_one() -> None:
    incident = step(opened()).incident
    moved = escalation.pull_next(incident, roster=EVERYBODY, now=at(seconds=9))
    assert called(moved) == ["L2 senior"]


def test_everybody_is_called_once_however_many_targets_name_them() -> None:
    level = replace(MATRIX.levels[0], page=("dev", "senior", "dev"))
    incident = replace(opened(), policy=replace(MATRIX, levels=(level,)))
    assert called(step(incident)) == ["L1 dev", "L1 senior"]


def test_without_repeat_and_ack_timeout_nothing_moves_by_itself_after_the_last_level() -> None:
    plain = replace(MATRIX, repeat_last=None, ack_timeout=None)
    incident = step(replace(opened(), policy=plain), hours=2).incident
    assert incident.next_step_at is None
    taken = answers.acknowledge(incident, By(who="dev", at=at(hours=2))).incident
    assert taken.next_step_at is None
