"""Turns, layers and hand-overs, on the days when the clocks change above all."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.oncall import Hours, Layer, Override, Person, Roster, Rotation
from stewardmon.domain.policy import Level, Policy
from stewardmon.domain.rota import lint, spans
from tests.support.builders import person, roster

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
YEARS = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))


def rotation(zone: str = "Europe/Berlin", handover: str = "09:00", **given: object) -> Rotation:
    hour, minute = map(int, handover.split(":"))
    values = {
        "name": "primary",
        "people": ("a", "b"),
        "timezone": ZoneInfo(zone),
        "handover": time(hour, minute),
        "every_days": 1,
        "start": date(2015, 1, 5),
        **given,
    }
    return Rotation(**values)  # type: ignore[arg-type]


# Each line: the zone, the local day, the hand-over's wall time, and the instant (UTC) at which it
# must happen. Sao Paulo has kept one time since 2019, so its lines lie in 2018.
HANDOVERS = [
    # Clocks go forward, hand-over inside the gap: the first instant after it.
    ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29 01:00"),
    ("America/New_York", "2026-03-08", "02:30", "2026-03-08 07:00"),
    ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04 03:00"),
    ("America/Sao_Paulo", "2018-11-04", "00:30", "2018-11-04 03:00"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03 15:30"),
    # Clocks go forward, hand-over before and after the gap: the local hour.
    ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29 00:59"),
    ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-03-29", "09:00", "2026-03-29 07:00"),
    ("America/New_York", "2026-03-08", "09:00", "2026-03-08 13:00"),
    ("America/Sao_Paulo", "2018-11-04", "09:00", "2018-11-04 11:00"),
    ("Australia/Lord_Howe", "2026-10-04", "02:30", "2026-10-03 15:30"),
    ("Australia/Lord_Howe", "2026-10-04", "09:00", "2026-10-03 22:00"),
    # Clocks go back, hand-over inside the repeat: the first occurrence.
    ("Europe/Berlin", "2026-10-25", "02:00", "2026-10-25 00:00"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 00:30"),
    ("America/New_York", "2026-11-01", "01:30", "2026-11-01 05:30"),
    ("America/Sao_Paulo", "2018-02-17", "23:30", "2018-02-18 01:30"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04 14:45"),
    # Clocks go back, hand-over before and after the repeat: the local hour.
    ("Europe/Berlin", "2026-10-25", "01:59", "2026-10-24 23:59"),
    ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25 02:00"),
    ("America/New_York", "2026-11-01", "09:00", "2026-11-01 14:00"),
    ("America/Sao_Paulo", "2018-02-18", "00:00", "2018-02-18 03:00"),
    ("Australia/Lord_Howe", "2026-04-05", "02:00", "2026-04-04 15:30"),
    # A whole day that a zone skipped: the first instant after it.
    ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30 10:00"),
]


@pytest.mark.parametrize(("zone", "day", "handover", "instant"), HANDOVERS)
def test_the_hand_over_happens_when_the_wall_clock_says(
    zone: str, day: str, handover: str, instant: str
) -> None:
    turns = rotation(zone, handover, start=date(2005, 1, 3))
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert turns.handover_on(date.fromisoformat(day)) == at
    before, after = turns.on_call(at - timedelta(seconds=1)), turns.on_call(at)
    assert {before, after} == {"a", "b"}
    assert turns.on_call(at + timedelta(hours=6)) == after


@pytest.mark.parametrize("handover", ["02:30", "01:30", "23:30"])
def test_the_repeated_hour_hands_over_once(handover: str) -> None:
    for zone in ("Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe"):
        known = roster(person("a"), person("b"))
        turns = Roster(people=known.people, rotations={"primary": rotation(zone, handover)})
        start = datetime(2018, 1, 1, tzinfo=UTC)
        found = list(spans(turns, "primary", start=start, end=start + 400 * DAY))
        lengths = {one.end - one.start for one in found[1:-1]}
        assert max(lengths) <= DAY + timedelta(hours=1)
        assert min(lengths) >= DAY - timedelta(hours=1)


zones = st.sampled_from(
    [
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Auckland",
        "Africa/Casablanca",
        "UTC",
    ]
)
instants = st.datetimes(
    min_value=YEARS[0].replace(tzinfo=None), max_value=YEARS[1].replace(tzinfo=None)
).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))
layers = st.builds(
    Layer,
    people=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(tuple),
    timezone=zones.map(ZoneInfo),
    handover=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    every_days=st.sampled_from([1, 2, 7, 14, 21]),
    start=st.dates(date(2024, 1, 1), date(2028, 1, 1)),
)


@given(layer=layers, at=instants)
def test_at_every_instant_exactly_one_person_of_a_layer_is_on_call(
    layer: Layer, at: datetime
) -> None:
    assert layer.turn(at) in layer.people
    assert layer.covers(at)


@given(layer=layers, at=instants)
def test_hand_overs_fall_on_the_local_hour(layer: Layer, at: datetime) -> None:
    """The turn changes at the wall time of a hand-over day, or right after a gap that holds it."""
    alone = Roster(
        rotations={
            "r": Rotation(
                name="r",
                people=tuple("abcdefg"),
                timezone=layer.timezone,
                handover=layer.handover,
                every_days=layer.every_days,
                start=layer.start,
            )
        }
    )
    found = list(spans(alone, "r", start=at, end=at + 60 * DAY))
    for one in found[1:]:
        shown = one.start.astimezone(layer.timezone)
        exact = (shown.hour, shown.minute) == (layer.handover.hour, layer.handover.minute)
        second_before = (one.start - timedelta(seconds=1)).astimezone(layer.timezone)
        jumped = shown.utcoffset() != second_before.utcoffset()
        assert exact or jumped
        assert (shown.date() - layer.start).days % layer.every_days == 0
        assert alone.on_call("r", one.start - timedelta(seconds=1)) != alone.on_call("r", one.start)


def test_a_fortnight_is_two_weeks_each() -> None:
    turns = rotation(every_days=14, start=date(2026, 1, 5))
    at = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    assert [turns.on_call(at + week * 7 * DAY) for week in range(5)] == ["a", "a", "b", "b", "a"]


def test_a_layer_covers_its_hours_and_the_one_below_the_rest() -> None:
    office = Hours(days=frozenset(range(5)), start=time(9), end=time(17))
    day = Layer(
        people=("d",),
        timezone=BERLIN,
        handover=time(9),
        every_days=1,
        start=date(2026, 1, 5),
        hours=(office,),
    )
    turns = rotation(people=("n",), layers=(day,))
    monday = datetime(2026, 11, 23, tzinfo=BERLIN)
    found = [turns.on_call(monday + timedelta(hours=hour)) for hour in (8.99, 9, 16.99, 17)]
    assert found == ["n", "d", "d", "n"]
    assert turns.on_call(monday + 5 * DAY + timedelta(hours=12)) == "n"


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    friday_night = Hours(days=frozenset({4}), start=time(22), end=time(6))
    turns = rotation(people=("n",), hours=(friday_night,))
    saturday = datetime(2026, 11, 28, tzinfo=BERLIN)
    found = [turns.on_call(saturday + timedelta(hours=hour)) for hour in (-3, -2, 5.9, 6)]
    assert found == [None, "n", "n", None]


def test_an_override_wins_and_the_one_written_last_wins_over_it() -> None:
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    overrides = tuple(
        Override(rotation="primary", person=who, start=at, end=at + timedelta(hours=hours))
        for who, hours in (("c", 5), ("d", 1))
    )
    known = Roster(rotations={"primary": rotation(people=("a",))}, overrides=overrides)
    moments = (-1, 0, 1, 5)
    found = [known.on_call("primary", at + timedelta(hours=hour)) for hour in moments]
    assert found == ["a", "d", "c", "a"]


def test_lints_name_gaps_mute_people_and_doubled_levels() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    office = Hours(days=frozenset(range(5)), start=time(9), end=time(17))
    people = {"a": person("a"), "b": Person(id="b", name="B", timezone=BERLIN)}
    known = Roster(
        people=people,
        rotations={"primary": rotation(people=("a", "b"), hours=(office,))},
        channels=frozenset({"pager"}),
    )
    policy = Policy(
        name="matrix",
        levels=(
            Level(number=1, role="", after=timedelta(0), page=("primary",)),
            Level(number=2, role="", after=timedelta(minutes=5), page=("a",)),
        ),
    )
    said = "\n".join(lint(known, {"matrix": policy}, now=now, drilled={}))
    assert "nobody has primary from Mon 2026-11-23 16:00 UTC to Tue 2026-11-24 08:00 UTC" in said
    assert "b has no contact over a channel that exists" in said
    assert "a is on levels 1 and 2 of matrix at once" in said
    assert "a was never drilled over pager" in said
    quiet = lint(known, {"matrix": policy}, now=now, drilled={("pager", "a"): now})
    assert not any("never drilled" in line for line in quiet)
