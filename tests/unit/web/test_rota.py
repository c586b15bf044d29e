"""The calendar: shifts by the local day, over changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from stewardmon.domain.oncall import Override, Roster, Rotation
from stewardmon.web import rota
from tests.support.builders import BERLIN, person

TURNS = Rotation(
    name="primary",
    people=("ada", "bob"),
    timezone=BERLIN,
    handover=time(9),
    every_days=7,
    start=date(2026, 1, 5),
)


def _roster(*overrides: Override) -> Roster:
    return Roster(
        people={name: person(name) for name in ("ada", "bob", "eve")},
        rotations={"primary": TURNS},
        overrides=overrides,
        channels=frozenset({"pager"}),
    )


def test_now_and_next() -> None:
    monday = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    (duty,) = rota.duties(_roster(), now=monday)
    assert duty.now is not None
    assert duty.next is not None
    assert duty.now.end == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert {duty.now.person, duty.next.person} == {"ada", "bob"}


def test_a_day_shows_who_hands_over_and_who_stands_in() -> None:
    start, end = (datetime(2026, 11, 25, hour, tzinfo=UTC) for hour in (9, 17))
    over = Override(rotation="primary", person="eve", start=start, end=end)
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    (week,) = rota.weeks(_roster(over), "primary", now=now, zone=BERLIN, count=1)
    assert [at for at, _ in week[0].shifts] == ["", "09:00"]
    assert [(at, one.override) for at, one in week[2].shifts] == [
        ("", False),
        ("10:00", True),
        ("18:00", False),
    ]
    assert [day.today for day in week] == [False, False, True, False, False, False, False]


def test_the_days_on_which_clocks_move_say_so() -> None:
    for now, words in (
        (datetime(2026, 3, 29, 12, tzinfo=UTC), "clocks go forward 1 h"),
        (datetime(2026, 10, 25, 12, tzinfo=UTC), "clocks go back 1 h"),
    ):
        (week,) = rota.weeks(_roster(), "primary", now=now, zone=BERLIN, count=1)
        assert [day.clocks for day in week] == ["", "", "", "", "", "", words]


def test_where_nobody_is_there_is_nobody() -> None:
    empty = Rotation(
        name="primary",
        people=(),
        timezone=BERLIN,
        handover=time(9),
        every_days=7,
        start=date(2026, 1, 5),
    )
    roster = Roster(rotations={"primary": empty})
    (duty,) = rota.duties(roster, now=datetime(2026, 11, 23, tzinfo=UTC))
    assert duty.now is None
    assert rota.name_of(roster, "") == "nobody"
