"""The error budget: an outage that was paged is not paged again by its echo in long windows."""

from __future__ import annotations

from pathlib import Path

import yaml

from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.daemon import ALERTS, Daemon
from tests.support.unhurried import calm, calmed

SHIPPED = yaml.safe_load((Path(__file__).parents[2] / "rules/alerts.yml").read_text())
BURNS = [one for one in SHIPPED["alerts"] if one["name"].startswith("Error Budget")]


def rules() -> str:
    """Return the daemon's usual rules and the shipped ones about the budget."""
    alerts = yaml.safe_load(ALERTS)["alerts"]
    known = {one["name"] for one in (*alerts, *BURNS)}
    for burn in BURNS:
        burn["depends_on"] = [name for name in burn["depends_on"] if name in known]
    return calmed(
        yaml.safe_dump({"vocabulary": SHIPPED["vocabulary"], "alerts": [*alerts, *BURNS]})
    )


def titles(daemon: Daemon) -> set[str]:
    return {one.title for _, _, one in daemon.pager.sent}


async def test_the_first_outage_after_an_installation_pages_once_and_is_over() -> None:
    async with calm(alerts=rules()) as daemon:
        await daemon.after(minutes=4)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=6)
        daemon.platform.database.comes_back()
        await daemon.after(minutes=120)
        assert titles(daemon) == {"Database Issues (database)"}
        assert not daemon.running.live.responder.open()


async def test_the_echo_of_an_outage_pages_nobody() -> None:
    async with calm(alerts=rules()) as daemon:
        await daemon.after(minutes=80)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=50)
        daemon.platform.database.comes_back()
        await daemon.after(minutes=60)
        assert titles(daemon) == {"Database Issues (database)"}


async def test_what_stays_under_the_threshold_and_goes_on_pages_by_the_budget() -> None:
    async with calm(alerts=rules()) as daemon:
        await daemon.after(minutes=60)
        down = Outcome(state=State.DOWN, reason=Reason.STATUS, detail="500")
        for _ in range(9):  # three minutes in ten: never a minute of it in a row
            for _ in range(6):
                daemon.platform.openai.outcome = down
                await daemon.after(seconds=12)
                daemon.platform.openai.outcome = Outcome(state=State.UP)
                await daemon.after(seconds=28)
        assert any("Error Budget Burns Fast" in title for title in titles(daemon))
        assert not any("AI Service Down" in title for title in titles(daemon))
