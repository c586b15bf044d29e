"""A set of an incident's alerts knows from which set it grew, and never claims so wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from weakref import ref

import pytest

from stewardmon.domain import triage
from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import (
    Address,
    Incident,
    IncidentState,
    Members,
    differ_in_alerts_only,
    only_joined,
)
from stewardmon.domain.labels import Labels
from tests.support.builders import BOOK, MATRIX, START, firing

ALERTS = {one.fingerprint: one for one in (firing(host=str(number)) for number in range(6))}
FIRST, SECOND, THIRD, *_ = ALERTS


def some(*marks: str) -> dict[str, Alert]:
    return {mark: ALERTS[mark] for mark in marks}


def joined(before: Mapping[str, Alert], after: Mapping[str, Alert]) -> list[str] | None:
    found = only_joined(before, after)
    return None if found is None else list(found)


def test_what_joined_is_told() -> None:
    before = Members(some(FIRST))
    after = Members.grown(before, some(SECOND, THIRD))
    assert after == some(FIRST, SECOND, THIRD)
    assert after.grew_from(before)
    assert joined(before, after) == [SECOND, THIRD]


def test_a_set_that_is_equal_to_the_origin_is_not_the_origin() -> None:
    before = Members(some(FIRST))
    after = Members.grown(before, some(SECOND))
    assert not after.grew_from(Members(some(FIRST)))
    assert joined(some(FIRST), after) == [SECOND]  # found by looking
    assert joined(some(SECOND), after) is None


def test_an_alert_that_is_replaced_is_no_alert_that_only_joined() -> None:
    before = Members(some(FIRST, SECOND))
    other = replace(ALERTS[FIRST], value=2.0)
    after = Members.grown(before, {FIRST: other, **some(THIRD)})
    assert not after.grew_from(before)
    assert joined(before, after) is None


def test_alerts_that_left_are_not_overlooked() -> None:
    before = Members(some(FIRST, SECOND))
    assert joined(before, Members(some(FIRST))) is None


def test_whoever_holds_a_set_holds_none_of_those_before_it() -> None:
    before = Members(some(FIRST))
    after = Members.grown(before, some(SECOND))
    gone = ref(before)
    del before
    assert gone() is None
    assert not after.grew_from(Members(some(FIRST)))


(ARRIVAL,) = triage.arrivals([ALERTS[FIRST]], BOOK.routes)
INCIDENT = triage.admit(ARRIVAL, None, book=BOOK, now=START).incident
OTHER: Mapping[str, Any] = {
    "group": Labels({"alertname": "Other"}),
    "state": IncidentState.ACKNOWLEDGED,
    "policy": replace(MATRIX, name="other"),
    "told": (Address("dev", "pager", "dev"),),
    "symptoms": ("Slow app",),
}


def test_incidents_that_differ_in_alerts_alone() -> None:
    assert differ_in_alerts_only(INCIDENT, replace(INCIDENT, alerts=some(FIRST, SECOND)))


@pytest.mark.parametrize("name", [one.name for one in fields(Incident) if one.name != "alerts"])
def test_every_other_difference_is_seen(name: str) -> None:
    now = getattr(INCIDENT, name)
    new = OTHER.get(name)
    if new is None:
        new = {str: "other", int: 7}.get(type(now), START + timedelta(hours=1))
    other: Incident = replace(INCIDENT, **{name: new})  # type: ignore[arg-type]
    assert not differ_in_alerts_only(INCIDENT, other)
