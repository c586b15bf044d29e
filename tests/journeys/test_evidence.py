"""Evidence comes with the page where it is ready, after it where it is not, and never before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stewardmon.domain.incident import EventKind
from stewardmon.stores.memory import MemoryStore
from tests.support.daemon import ALERTS, Daemon, running

AT_ONCE = ALERTS.replace('duration: "1m"', 'duration: "0s"')
FOREVER = timedelta(days=9).total_seconds()


async def evidence(daemon: Daemon) -> list[str]:
    """What stands under Evidence in the newest incident's timeline."""
    events = await daemon.timeline()
    found = [event.detail for event in events if event.kind is EventKind.EVIDENCE]
    return [line for detail in found for line in detail.splitlines()]


def told(daemon: Daemon, message: int = 0) -> tuple[str, ...]:
    """What a message had with it."""
    return daemon.pager.sent[message][2].evidence


async def test_what_a_witness_says_before_the_alert_fires_comes_with_the_page() -> None:
    async with running() as daemon:
        daemon.platform.database.testimony = ("process 7 blocks process 8",)
        daemon.platform.database.testifies_after = 1.5
        daemon.platform.database.goes_down()
        await daemon.after(seconds=70)
        assert daemon.paged == ["L1"]
        assert "process 7 blocks process 8 (database)" in told(daemon)
        assert any(line.startswith("database: down (refused), refused [") for line in told(daemon))
        assert await evidence(daemon) == list(told(daemon))


async def first_page(hold: str, after: float) -> tuple[timedelta, timedelta]:
    """How long after the outage the level was paged, and that arrived; witnesses take `after`."""
    async with running(alerts=ALERTS.replace('duration: "1m"', f'duration: "{hold}"')) as daemon:
        daemon.platform.database.testimony = ("late words",)
        daemon.platform.database.testifies_after = after
        await daemon.after(seconds=20)
        begun = daemon.clock.now()
        daemon.platform.database.goes_down()
        await daemon.after(minutes=5)
        paged = next(one for one in await daemon.timeline() if one.kind is EventKind.PAGED)
        return paged.at - begun, daemon.pager.sent[0][0] - begun


@pytest.mark.parametrize("hold", ["0s", "1m"])
async def test_a_page_is_never_later_for_evidence_that_hangs(hold: str) -> None:
    prompt, hanging = await first_page(hold, 0), await first_page(hold, FOREVER)
    assert hanging == prompt


async def test_what_comes_late_is_on_the_incident_and_in_later_messages() -> None:
    async with running(alerts=AT_ONCE) as daemon:
        daemon.platform.database.testimony = ("process 7 blocks process 8",)
        daemon.platform.database.testifies_after = 1.9
        await daemon.after(seconds=5)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=17)
        assert daemon.paged == ["L1"]
        assert told(daemon) != ()  # what memory knew went at once
        assert "process 7 blocks process 8 (database)" not in told(daemon)
        assert "process 7 blocks process 8 (database)" in await evidence(daemon)
        await daemon.after(minutes=31)
        assert daemon.paged == ["L1", "L2"]
        assert "process 7 blocks process 8 (database)" in told(daemon, 1)


async def test_a_witness_that_never_answers_is_named_and_not_asked_again_meanwhile() -> None:
    async with running(alerts=AT_ONCE) as daemon:
        daemon.platform.database.testifies_after = FOREVER
        daemon.platform.database.goes_down()
        await daemon.after(minutes=1)
        lines = await evidence(daemon)
        assert "database could not be asked: no answer within 2 s" in lines


async def test_a_secret_that_a_witness_lets_slip_is_shown_nowhere() -> None:
    async with running() as daemon:
        daemon.platform.database.testimony = ("postgresql://app:hunter22@db/x password=hunter22",)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=70)
        shown = [*told(daemon), *await evidence(daemon)]
        assert any("postgresql://" in line for line in shown)
        assert not any("hunter22" in line for line in shown)


async def test_evidence_survives_a_restart() -> None:
    async with running() as daemon:
        daemon.platform.database.testimony = ("process 7 blocks process 8",)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=70)
        daemon.platform.database.testimony = ("something else",)
        await daemon.restarts()
        await daemon.after(minutes=31)
        assert daemon.paged == ["L1", "L2"]
        assert "process 7 blocks process 8 (database)" in told(daemon, 1)
        assert len(await evidence(daemon)) == len(set(await evidence(daemon)))


async def test_what_a_crash_kept_from_being_gathered_is_gathered_after_it() -> None:
    store = MemoryStore()
    async with running(alerts=AT_ONCE, store=store) as daemon:
        daemon.platform.database.testimony = ("process 7 blocks process 8",)
        daemon.platform.database.testifies_after = 1.9
        daemon.platform.database.goes_down()
        while not daemon.pager.sent:
            await daemon.after(seconds=0.1)
        await daemon.killed()
        assert await store.events(daemon.incidents[-1].id)
        assert not await evidence(daemon)
        await daemon.start()
        await daemon.after(seconds=20)
        assert "process 7 blocks process 8 (database)" in await evidence(daemon)


async def test_a_return_of_the_outage_is_gathered_for_anew() -> None:
    async with running(alerts=AT_ONCE) as daemon:
        daemon.platform.database.testimony = ("the first time",)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=40)
        daemon.platform.database.comes_back()
        await daemon.after(seconds=30)
        daemon.platform.database.testimony = ("the second time",)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=40)
        assert len(daemon.incidents) == 1
        assert {"the first time (database)", "the second time (database)"} <= set(
            await evidence(daemon)
        )
