"""Hours of the noise that every platform makes wake nobody; more of it does.

Virtual time: what four healthy probes say, at the intervals of a configuration that nobody wrote
down, with a seeded share of slow and of failed asks, to a whole daemon with all shipped rules. The
odds that these seeds are not merely lucky are in tests/unit/test_noise_odds.py.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest
import yaml

from stewardmon.config.shipped import shipped
from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.ports import Context, Kind
from stewardmon.probes import KINDS
from tests.support.daemon import ONCALL, running
from tests.support.unhurried import Forgetful, unhurried
from tests.support.virtual import VirtualClock, run_virtually

_ALERTS: Final = "evaluation_interval: 15s\n" + (shipped() / "alerts.yml").read_text()
# A day takes half a minute: CI lives three, and one of clusters; `make test` three hours.
_ALL: Final = os.environ.get("STEWARDMON_MATRIX") == "all"
LASTING: Final = timedelta(hours=24 if _ALL else 3)
_SEEDS: Final = (20260611, 1, 2) if _ALL else (20260611,)
_PROBES: Final = yaml.safe_dump(
    {
        "defaults": {"interval": "15s", "timeout": "10s"},
        "probes": [
            {"name": name, "kind": "http", "job": job, "url": f"http://{name}.example/", **more}
            for name, job, more in (
                ("app", "app", {}),
                ("database", "database", {}),
                ("openai", "openai", {"interval": "60s"}),
                ("openai-chat", "openai", {"interval": "5m", "confirm": True}),
            )
        ],
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Which share of asks is slow, and which fails; `runs` is how many in a row at the most.

    With runs, what is slow or fails comes in clusters of one to so many asks, all lengths as often.
    The share stays: there are fewer clusters.
    """

    slow: float = 0.02
    failed: float = 0.005
    runs: int = 1


class Noisy:
    """A probe that is well, but for a share of its asks."""

    def __init__(self, random: Random, noise: Noise, *, tells: str) -> None:
        self._slow = _Clusters(random, noise.slow, noise.runs)
        self._failed = _Clusters(random, noise.failed, noise.runs)
        self._random, self._tells = random, tells

    async def ask(self) -> Outcome:
        """Answer after as long as the platform takes."""
        up = not self._failed.next()
        took = 6.0 if self._slow.next() else self._random.uniform(0.05, 0.4)
        await asyncio.sleep(took)  # noqa: TID251 - on virtual time
        return Outcome(
            state=State.UP if up else State.DOWN,
            reason=Reason.OK if up else Reason.STATUS,
            detail="",
            duration=took,
            measurements=self._measured(up=up, took=took),
        )

    def _measured(self, *, up: bool, took: float) -> tuple[Measurement, ...]:
        """Return what the real probe of that name would tell besides."""
        if self._tells == "database":
            took_it = Measurement("stewardmon_pg_query_duration_seconds", took)
            return (Measurement("pg_up", float(up)), took_it)
        if self._tells == "openai-chat":
            return (Measurement("gen_ai_client_operation_duration_seconds", took),)
        return ()

    async def close(self) -> None:
        """Nothing is kept."""


class _Clusters:
    def __init__(self, random: Random, share: float, longest: int) -> None:
        self._random, self._longest = random, longest
        # So often does one begin, of those asks that are in none.
        self._begins = share / ((1 + longest) / 2 * (1 - share) + share)
        self._left = 0

    def next(self) -> bool:
        """Say whether the next ask is one of a cluster."""
        if self._left:
            self._left -= 1
        elif self._random.random() < self._begins:
            self._left = self._random.randint(1, self._longest) - 1
        else:
            return False
        return True


async def _live(noise: Noise, *, lasting: timedelta, seed: int) -> Mapping[str, int]:
    """Return how many incidents which alert opened."""
    random = Random(seed)

    def make(_settings: Any, context: Context) -> Noisy:
        return Noisy(random, noise, tells=context.probe)

    kinds: dict[str, Kind] = {"http": replace(KINDS["http"], make=make)}
    with unhurried():
        async with running(
            probes=_PROBES,
            alerts=_ALERTS,
            oncall=ONCALL,
            clock=VirtualClock(),
            kinds=kinds,
            history=Forgetful(),
        ) as daemon:
            await daemon.after(hours=lasting / timedelta(hours=1))
            return Counter(one.group.value("alertname") for one in daemon.incidents)


@pytest.mark.parametrize("seed", _SEEDS)
def test_usual_noise_wakes_nobody(seed: int) -> None:
    assert run_virtually(_live(Noise(), lasting=LASTING, seed=seed)) == {}


# Fair is what heals by itself before anybody could look: up to three asks in a row (45 s) that fail
# or are slow. Longer is an outage by the guide's own rules: a database that cannot be reached for a
# minute pages.
def test_noise_that_comes_in_clusters_wakes_nobody() -> None:
    assert run_virtually(_live(Noise(runs=3), lasting=LASTING, seed=20260611)) == {}


def test_an_hour_of_more_noise_fires() -> None:
    noise = Noise(slow=0.3, failed=0.3)
    said = run_virtually(_live(noise, lasting=timedelta(hours=1), seed=20260611))
    assert "High Error Rate" in said, said
