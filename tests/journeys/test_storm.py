"""Ten thousand alerts at once: fifty incidents, fifty pages, and an answer that does not wait."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.external import Posted
from stewardmon.domain.labels import Labels
from tests.support.daemon import posting

ALERTS, NAMES, BATCH = 10_000, 50, 256


async def test_ten_thousand_alerts_are_fifty_pages_and_one_answer_each() -> None:
    async with posting() as daemon:
        ends_at = daemon.clock.now() + timedelta(days=1)
        storm = [
            Posted(
                labels=Labels(
                    {"alertname": f"Storm{number % NAMES}", "severity": "critical",
                     "instance": f"host-{number}"}
                ),
                annotations=Labels(),
                ends_at=ends_at,
            )
            for number in range(ALERTS)
        ]  # fmt: skip
        external = daemon.running.live.external
        for start in range(0, ALERTS, BATCH):
            await external.take(storm[start : start + BATCH], now=daemon.clock.now())
        await daemon.after(seconds=5)
        assert daemon.said == ["page dev-a"] * NAMES
        assert sum(len(one.alerts) for one in daemon.incidents) == ALERTS
        taken = await daemon.acknowledge(by="dev-a")
        assert len(taken.alerts) == ALERTS // NAMES
        await daemon.restarts()
        await daemon.after(seconds=20)
        assert daemon.said == ["page dev-a"] * NAMES
        assert len(daemon.incidents) == NAMES
