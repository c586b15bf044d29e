"""A rota kept in a calendar: recurring, all-day, in zones; hanging, garbage, without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stewardmon.domain.oncall import Roster
from stewardmon.engine import feeds
from stewardmon.engine.feeds import FeedError, Feeds, fetch, read
from tests.support.builders import person, roster
from tests.support.http_receiver import HttpReceiver, answers, floods, hangs
from tests.support.live import ONCALL, listening
from tests.unit.domain.test_oncall import rotation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
WEEK = timedelta(days=7)
KNOWN = roster(person("dev"), person("senior"))
ROSTER = Roster(
    people=KNOWN.people,
    rotations={"primary": rotation(people=("dev",), calendar="http://x/")},
    channels=KNOWN.channels,
)


def calendar(*events: str) -> bytes:
    blocks = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
    return f"{head}{blocks}END:VCALENDAR\r\n".encode()


def event(start: str, end: str, summary: str, *more: str) -> str:
    stamp = ("DTSTAMP:20260101T000000Z", f"UID:{start}{summary}")
    return "\r\n".join((*stamp, f"DTSTART{start}", f"DTEND{end}", f"SUMMARY:{summary}", *more))


def found(*events: str) -> list[tuple[str, str, str]]:
    overrides = read(calendar(*events), "primary", ROSTER, start=NOW, end=NOW + 2 * WEEK)
    return [(one.person, f"{one.start:%a %H:%M}", f"{one.end:%a %H:%M}") for one in overrides]


def test_events_are_shifts_by_id_by_name_and_by_attendee() -> None:
    times = (":20261124T090000Z", ":20261124T170000Z")
    assert found(event(*times, "senior")) == [("senior", "Tue 09:00", "Tue 17:00")]
    assert found(event(*times, "On call: Senior")) == [("senior", "Tue 09:00", "Tue 17:00")]
    assert found(event(*times, "shift", "ATTENDEE:mailto:senior")) != []
    assert found(event(*times, "Somebody else")) == []


def test_times_without_a_zone_are_the_rotations_and_days_are_whole() -> None:
    assert found(event(":20261124T090000", ":20261124T170000", "dev")) == [
        ("dev", "Tue 08:00", "Tue 16:00")
    ]
    assert found(event(";VALUE=DATE:20261125", ";VALUE=DATE:20261126", "dev")) == [
        ("dev", "Tue 23:00", "Wed 23:00")
    ]


def test_an_event_that_recurs_for_ever_is_read_as_far_as_it_matters() -> None:
    every_day = event(":20260101T090000Z", ":20260101T100000Z", "dev", "RRULE:FREQ=DAILY")
    assert len(found(every_day)) == 14


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>sign in</html>",
        b"\x00\xff" * 1000,
        calendar(event(":20260101T090000Z", ":20260101T100000Z", "dev", "RRULE:FREQ=SECONDLY")),
        calendar(event(":20260101T090000Z", ":20260101T100000Z", "a", "RRULE:FREQ=MINU\r\n TELY")),
        calendar(*["UID:1"] * 2001),
        calendar(event(":soon", ":later", "dev")),
    ],
)
def test_what_is_no_calendar_is_refused_as_a_sentence(content: bytes) -> None:
    with pytest.raises(FeedError, match="calendar"):
        read(content, "primary", ROSTER, start=NOW, end=NOW + WEEK)


async def test_a_calendar_that_hangs_floods_or_redirects_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "TIMEOUT", 0.3)
    async with HttpReceiver() as server:
        for behaviour, says in (
            (hangs, "did not answer"),
            (floods, "larger than"),
            (answers(302, Location="http://127.0.0.1:9/"), "answered 302"),
            (answers(404), "answered 404"),
        ):
            server.behaviour = behaviour
            with pytest.raises(FeedError, match=says):
                await fetch(server.url)
    with pytest.raises(FeedError, match="could not be fetched"):
        await fetch("http://127.0.0.1:9/secret-path")


async def test_a_calendar_that_fails_later_keeps_what_it_said(tmp_path: Path) -> None:
    async with HttpReceiver() as server:
        start = datetime(2020, 1, 1, tzinfo=UTC)
        always = event(
            f":{start:%Y%m%dT%H%M%SZ}", f":{start + timedelta(days=1):%Y%m%dT%H%M%SZ}", "senior",
            "RRULE:FREQ=DAILY",
        )  # fmt: skip
        server.behaviour = answers(200, calendar(always))
        own = f'\nrotations:\n  primary: {{people: [dev], calendar: "{server.url}/rota.ics"}}\n'
        async with listening(tmp_path, files={"oncall.yml": ONCALL + own}) as running:
            rota = running.app.live.rota
            now = running.app.live.clock.now()
            reading = Feeds(rota, running.app.live.clock)
            await reading.look(now=now)
            assert rota.roster.on_call("primary", now) == "senior"
            server.behaviour = answers(500)
            await reading.look(now=now + timedelta(hours=1))
            assert rota.roster.on_call("primary", now) == "senior"
            assert "rota.ics" not in repr(rota.roster)
