"""What the gauges of alerts say through an outage: pending, firing, and nothing once it is over."""

from __future__ import annotations

from stewardmon import metrics
from tests.support.daemon import running


def alerts(state: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("stewardmon_alerts", {"state": state})


async def test_the_gauges_of_alerts_follow_the_outage() -> None:
    async with running() as daemon:
        await daemon.after(minutes=1)
        assert (alerts("pending"), alerts("firing")) == (0, 0)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=25)
        assert (alerts("pending"), alerts("firing")) == (1, 0)
        await daemon.after(minutes=2)
        assert (alerts("pending"), alerts("firing")) == (0, 1)
        daemon.platform.database.comes_back()
        await daemon.after(minutes=2)
        assert (alerts("pending"), alerts("firing")) == (0, 0)
