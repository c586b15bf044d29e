"""Reports as mails: a whole daemon on virtual time, a real SMTP server, the calendar of Berlin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from stewardmon.channels.email import KIND
from stewardmon.clock import SystemClock
from stewardmon.domain.incident import Event
from stewardmon.errors import StoreError
from stewardmon.stores.memory import MemoryStore
from tests.support.daemon import NO_RULES, ONCALL, Daemon, running
from tests.support.mail_receiver import MailReceiver
from tests.support.unhurried import unhurried
from tests.support.virtual import VirtualClock, VirtualLoop

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:aiosmtpd")

PROBES = """
probes:
  - {name: app, kind: scripted, job: app, target: app, interval: 20m, timeout: 500ms}
"""
READERS = ("team@example.org", "lead@example.org")
STAGES = ("MAIL", "RCPT", "DATA")


class _Held(asyncio.Event):
    """No time passes while a connection is open: it is real, and the clock is not."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        loop.working += 1

    def set(self) -> None:
        if not self.is_set():
            self._loop.working -= 1
        super().set()


class Post(MailReceiver):
    """The mail server: when each mail came, whom it refuses, and where a session stands still."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__()
        self.arrived: list[datetime] = []
        self.refused: dict[str, str] = {}  # by address: the answer that it gets
        self.stops_at = ""
        self.stopped, self.goes_on = asyncio.Event(), asyncio.Event()
        self._clock = clock

    @property
    def ids(self) -> list[str]:
        return [str(mail["message-id"]) for mail in self.inbox]

    def to(self, reader: str) -> list[EmailMessage]:
        return [mail for mail in self.inbox if mail["to"] == reader]

    def _ended(self) -> asyncio.Event:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._sessions.append(_Held(loop))
        return self._sessions[-1]

    async def _stage(self, name: str) -> None:
        if name == self.stops_at:
            self.stops_at = ""
            self.stopped.set()
            await self.goes_on.wait()

    async def handle_MAIL(self, *arguments: Any) -> str:  # noqa: N802 - aiosmtpd's names
        await self._stage("MAIL")
        return await super().handle_MAIL(*arguments)

    async def handle_RCPT(self, *arguments: Any) -> str:  # noqa: N802
        await self._stage("RCPT")
        address = arguments[3]
        return self.refused.get(address) or await super().handle_RCPT(*arguments)

    async def handle_DATA(self, *arguments: Any) -> str:  # noqa: N802
        self.arrived.append(self._clock.now())
        answer = await super().handle_DATA(*arguments)
        await self._stage("DATA")
        return answer


@asynccontextmanager
async def reporting(
    begins: str, hours: str, *, store: MemoryStore | None = None
) -> AsyncIterator[tuple[Daemon, Post]]:
    """A daemon that mails its reports at these hours of Berlin, from an instant of UTC on."""
    clock = VirtualClock(utc(begins))
    with unhurried():
        async with Post(clock) as post:
            oncall = ONCALL.replace(
                "  mail: {kind: recorded}",
                f"  mail: {{kind: email, url: 'smtp://127.0.0.1:{post.port}', from: s@x.org}}",
            )
            readers = ", ".join(f"{{channel: mail, to: {one}}}" for one in READERS)
            oncall += f"reports: {{timezone: Europe/Berlin, {hours}, to: [{readers}]}}\n"
            oncall = oncall.replace("to: a@x", "to: a@example.org")
            async with running(
                clock=clock,
                oncall=oncall,
                probes=PROBES,
                alerts=NO_RULES,
                channels={"email": KIND},
                store=store or MemoryStore(),
            ) as daemon:
                yield daemon, post


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(at: str) -> str:
    return f'daily: "{at}", weekly: never, monthly: never'


async def until(daemon: Daemon, instant: str) -> None:
    """Let time pass up to that instant."""
    await daemon.after(seconds=(utc(instant) - daemon.clock.now()).total_seconds())


@pytest.mark.parametrize(
    ("begins", "hour", "comes"),
    [
        ("2026-10-24 22:00", "07:00", ["2026-10-25 06:00", "2026-10-26 06:00"]),
        ("2026-10-24 22:00", "02:30", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("2027-03-27 23:00", "07:00", ["2027-03-28 05:00", "2027-03-29 05:00"]),
        ("2027-03-27 23:00", "02:30", ["2027-03-28 01:00", "2027-03-29 00:30"]),
    ],
    ids=["clocks back", "an hour shown twice", "clocks forward", "an hour skipped"],
)
async def test_a_daily_report_arrives_once_a_day_over_the_change_of_clocks(
    begins: str, hour: str, comes: list[str]
) -> None:
    async with reporting(begins, daily(hour)) as (daemon, post):
        for due in comes:  # up for the hour of each only: days are long
            await daemon.killed()
            await daemon.clock.sleep((utc(due) - daemon.clock.now()).total_seconds() - 300)
            await daemon.start()
            await daemon.after(minutes=66)
    for reader in READERS:
        got = [
            at for at, mail in zip(post.arrived, post.inbox, strict=True) if mail["to"] == reader
        ]
        assert [
            round((at - utc(due)).total_seconds()) for at, due in zip(got, comes, strict=True)
        ] == [0] * len(comes)
    assert len(set(post.ids)) == len(READERS) * len(comes)


async def test_daily_weekly_and_monthly_reports_arrive_in_text_and_html_each_at_its_hour() -> None:
    # Sunday, 1 November 2026, is a day, a week's end and a month's first.
    hours = 'daily: "07:00", weekly: "Sun 08:00", monthly: "1 09:00"'
    async with reporting("2026-11-01 05:30", hours) as (daemon, post):
        await daemon.after(hours=3)
    expected = [
        ("2026-11-01 06:00", "Daily report, 31 Oct 07:00 to 01 Nov 2026 07:00"),
        ("2026-11-01 07:00", "Weekly report, 25 Oct 08:00 to 01 Nov 2026 08:00"),
        ("2026-11-01 08:00", "Monthly report, 02 Oct 10:00 to 01 Nov 2026 09:00"),
    ]
    for reader in READERS:
        assert [mail["subject"] for mail in post.to(reader)] == [title for _, title in expected]
    assert sorted({f"{at:%F %H:%M}" for at in post.arrived}) == [at for at, _ in expected]
    for mail in post.inbox:
        text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
        for part in (text, html):
            assert "Availability and errors" in part
            assert "app: available" in part
            assert "Maintenance tasks" in part
        assert "<h1" in html
        assert mail["importance"] is None


@pytest.mark.parametrize("stage", STAGES)
async def test_a_restart_in_the_middle_of_the_mail_loses_none_and_repeats_none(stage: str) -> None:
    async with reporting("2026-11-23 05:55", daily("07:00")) as (daemon, post):
        post.stops_at = stage
        await post.stopped.wait()
        while len(daemon.running.live.ledger.waiting()) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0)  # noqa: TID251 - until the other mail is done
        await daemon.killed()
        post.goes_on.set()
        await daemon.start()
        await daemon.after(minutes=5)
        assert len(set(post.ids)) == len(READERS)
        # What the server took and nobody heard it say so comes once more, by the same name: mail
        # programs show it once (RFC 5322, 3.6.4).
        assert len(post.inbox) == len(READERS) + (stage == "DATA")
        before = len(post.inbox)
        await daemon.restarts()
        await daemon.after(hours=1)
        assert len(post.inbox) == before


@pytest.mark.parametrize("steps", [0, 1, 3, 8, 21])
async def test_a_restart_at_the_hour_itself_loses_none_and_repeats_none(steps: int) -> None:
    async with reporting("2026-11-23 05:59:59", daily("07:00")) as (daemon, post):
        await daemon.clock.sleep(1)
        for _ in range(steps):
            await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop, not time
        await daemon.restarts()
        await daemon.after(minutes=5)
        assert len(set(post.ids)) == len(READERS)
        assert len(daemon.running.live.reports.listed()) == 1


async def test_the_clocks_going_back_during_a_pause_make_no_second_report() -> None:
    async with reporting("2026-10-25 00:00", daily("02:30")) as (daemon, post):
        await until(daemon, "2026-10-25 00:29:59")
        await daemon.killed()
        await daemon.clock.sleep(3600)  # 02:30 comes a second time
        await daemon.start()
        await daemon.after(hours=3)
        assert len(post.inbox) == len(set(post.ids)) == len(READERS)


@pytest.mark.parametrize("answer", ["451 greylisted, try again", "421 too busy"])
async def test_a_server_that_refuses_at_first_gets_it_again(answer: str) -> None:
    async with reporting("2026-11-23 05:55", daily("07:00")) as (daemon, post):
        post.refused = dict.fromkeys(READERS, answer)
        await daemon.after(minutes=6)
        assert post.inbox == []
        post.refused = {}
        await daemon.after(minutes=30)
        assert len(post.inbox) == len(set(post.ids)) == len(READERS)


async def test_an_address_that_is_refused_for_good_costs_the_others_nothing() -> None:
    async with reporting("2026-11-23 05:55", daily("07:00")) as (daemon, post):
        post.refused = {READERS[0]: "550 no such user"}
        await daemon.after(minutes=40)
        assert [mail["to"] for mail in post.inbox] == [READERS[1]]
        (said,) = [
            one.detail
            for one in await daemon.store.events("report-daily-20261123T0600")
            if "550" in one.detail
        ]
        assert said == (
            f"report to {READERS[0]} over mail, attempt 1: "
            "mail server 127.0.0.1: answered 550 no such user"
        )


class Ailing(MemoryStore):
    """A state that cannot be read for a while."""

    ill = False

    async def events_between(self, start: datetime, end: datetime) -> Sequence[Event]:
        if self.ill:
            raise StoreError("the disk is away")
        return await super().events_between(start, end)


async def test_a_state_that_cannot_be_read_at_the_hour_delays_the_report_and_costs_none() -> None:
    store = Ailing()
    async with reporting("2026-11-23 05:55", daily("07:00"), store=store) as (daemon, post):
        store.ill = True
        await daemon.after(minutes=12)
        assert post.inbox == []
        store.ill = False
        await daemon.after(minutes=10)
        assert len(post.inbox) == len(set(post.ids)) == len(READERS)
        assert post.inbox[0]["subject"] == "Daily report, 22 Nov 07:00 to 23 Nov 2026 07:00"
