"""It is night: warnings let people sleep and are there in the morning, critical pages are not."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.daemon import QUICK, posting
from tests.support.virtual import VirtualClock

ASLEEP = QUICK.replace(
    "    name: A\n", '    name: A\n    quiet_hours: {from: "22:00", to: "07:00"}\n'
)
CLIMBING = ASLEEP.replace("  - {match: {severity: warning}, policy: matrix, levels: [1]}\n", "")


def night() -> VirtualClock:
    """Return a clock at 06:50 in Berlin."""
    return VirtualClock(datetime(2026, 11, 23, 5, 50, tzinfo=UTC))


async def test_a_warning_waits_for_the_morning_and_says_so() -> None:
    async with posting(oncall=ASLEEP, clock=night()) as daemon:
        await daemon.fires("Slow", severity="warning")
        await daemon.after(minutes=9)
        assert daemon.said == []
        assert "level_skipped: level 1 (On-call developer) has nobody who can be reached now" in (
            await daemon.story()
        )
        await daemon.restarts()
        await daemon.after(minutes=7)
        assert daemon.said[0] == "page dev-a"


async def test_a_critical_page_comes_at_any_hour() -> None:
    async with posting(oncall=ASLEEP, clock=night()) as daemon:
        await daemon.fires("Down")
        assert daemon.said == ["page dev-a"]


async def test_a_warning_goes_to_whoever_is_awake_at_once() -> None:
    async with posting(oncall=CLIMBING, clock=night()) as daemon:
        await daemon.fires("Slow", severity="warning")
        await daemon.after(seconds=31)
        assert daemon.said == ["escalated senior"]
