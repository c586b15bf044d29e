"""Ten thousand alerts at once: fifty incidents, fifty pages, and an answer that does not wait."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.change import Change
from stewardmon.domain.external import Posted
from stewardmon.domain.labels import Labels
from stewardmon.engine.responder import BATCH, SMALL_BATCH
from stewardmon.engine.turns import LATELY
from tests.support.daemon import posting

ALERTS, NAMES, POSTED = 10_000, 50, 256


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
        for start in range(0, ALERTS, POSTED):
            await external.take(storm[start : start + POSTED], now=daemon.clock.now())
        await daemon.after(seconds=5)
        assert daemon.said == ["page dev-a"] * NAMES
        assert sum(len(one.alerts) for one in daemon.incidents) == ALERTS
        taken = await daemon.acknowledge(by="dev-a")
        assert len(taken.alerts) == ALERTS // NAMES
        await daemon.restarts()
        await daemon.after(seconds=20)
        assert daemon.said == ["page dev-a"] * NAMES
        assert len(daemon.incidents) == NAMES
        assert sum(len(one.alerts) for one in daemon.incidents) == ALERTS


async def test_transactions_are_small_while_people_answer() -> None:
    async with posting() as daemon:
        sizes: list[int] = []
        store = daemon.running.live.responder.ledger.store
        commit = store.commit

        async def noted(change: Change) -> None:
            if change.alerts:
                sizes.append(len(change.alerts))
            await commit(change)

        store.commit = noted  # type: ignore[method-assign]

        async def storms(word: str) -> int:
            """Let two batches of alerts fire, and return the size of the largest transaction."""
            sizes.clear()
            told = [
                Posted(labels=Labels({"alertname": word, "instance": f"host-{number}"}))
                for number in range(2 * BATCH)
            ]
            await daemon.running.live.external.take(told, now=daemon.clock.now())
            return max(sizes)

        assert await storms("Before") == BATCH
        await daemon.after(seconds=1)
        await daemon.acknowledge(by="dev-a")
        assert await storms("Meanwhile") == SMALL_BATCH
        await daemon.after(seconds=LATELY + 1)
        assert await storms("After") == BATCH
