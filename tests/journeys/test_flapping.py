"""It comes back, and back, and back: one incident, one last page, one end."""

from __future__ import annotations

from tests.support.daemon import QUICK, Daemon, posting


async def flip(daemon: Daemon, *, times: int = 1, apart: float = 20) -> None:
    for _ in range(times):
        await daemon.ends("Down")
        await daemon.after(seconds=apart)
        await daemon.fires("Down")
        await daemon.after(seconds=apart)


async def test_what_comes_back_soon_is_the_same_incident_and_pages_again() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await flip(daemon)
        assert len(daemon.incidents) == 1
        assert daemon.said == ["page dev-a", "resolved dev-a", "page dev-a"]
        assert any(line.startswith("reopened") for line in await daemon.story())


async def test_what_comes_back_late_is_another_one() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await flip(daemon, apart=125)
        assert len(daemon.incidents) == 2


async def test_beyond_three_returns_one_summary_page_and_then_silence() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await flip(daemon, times=4)
        await daemon.restarts()
        paged = daemon.said.count("page dev-a")
        assert paged == 5  # the first, three returns, and the one that says that it flaps
        [said] = [line for line in await daemon.story() if line.startswith("flapping")]
        assert said.startswith("flapping: came back 4 times: this is the last page until")
        await flip(daemon, times=5)
        assert daemon.said.count("page dev-a") == paged
        assert len(daemon.incidents) == 1


async def test_one_that_stays_after_flapping_pages_and_its_end_is_told_once() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await flip(daemon, times=6)
        paged = daemon.said.count("page dev-a")
        await daemon.after(minutes=2)
        assert daemon.said.count("page dev-a") == paged + 1
        told = daemon.said.count("resolved dev-a")
        await daemon.ends("Down")
        await daemon.after(minutes=1, seconds=50)
        assert daemon.said.count("resolved dev-a") == told
        await daemon.after(seconds=15)
        assert daemon.said.count("resolved dev-a") == told + 1


async def test_how_soon_and_how_often_are_ones_own_to_say() -> None:
    own = QUICK + "incidents: {reopen_within: 10s, flap_limit: 1}\n"
    async with posting(oncall=own) as daemon:
        await daemon.fires("Down")
        await flip(daemon, apart=3)
        await flip(daemon, apart=3)
        assert any(line.startswith("flapping") for line in await daemon.story())
        await flip(daemon, apart=15)
        assert len(daemon.incidents) == 2
