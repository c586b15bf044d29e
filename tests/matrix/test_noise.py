"""Hours of the noise that every platform makes wake nobody; more of it does.

Virtual time: what three healthy probes say, with a seeded share of slow and of failed asks, to a
whole daemon with all shipped rules, those over days among them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

import yaml

from stewardmon.config.shipped import shipped
from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.ports import Context, Kind
from stewardmon.probes import KINDS
from tests.support.daemon import ONCALL, running
from tests.support.unhurried import Forgetful, unhurried
from tests.support.virtual import VirtualClock, run_virtually

SLOW: Final = 0.02
FAILED: Final = 0.005
_ALERTS: Final = "evaluation_interval: 60s\n" + (shipped() / "alerts.yml").read_text()
_SEED: Final = 20260611
_ASKED: Final = ("app", "database", "openai")
_PROBES: Final = yaml.safe_dump(
    {
        "defaults": {"interval": "15s", "timeout": "10s"},
        "probes": [
            {"name": name, "kind": "http", "job": name, "url": f"http://{name}.example/"}
            for name in _ASKED
        ],
    }
)


class Noisy:
    """A probe that is well, but for a share of its asks."""

    def __init__(self, random: Random, *, slow: float, failed: float) -> None:
        self._random, self._slow, self._failed = random, slow, failed

    async def ask(self) -> Outcome:
        """Answer after as long as the platform takes."""
        up = self._random.random() >= self._failed
        took = 6.0 if self._random.random() < self._slow else self._random.uniform(0.05, 0.4)
        await asyncio.sleep(took)  # noqa: TID251 - on virtual time
        return Outcome(
            state=State.UP if up else State.DOWN,
            reason=Reason.OK if up else Reason.STATUS,
            detail="",
            duration=took,
            measurements=(Measurement("pg_up", float(up)),),
        )

    async def close(self) -> None:
        """Nothing is kept."""


async def _noise(*, slow: float, failed: float, lasting: timedelta) -> Mapping[str, int]:
    """Return how many incidents which alert opened."""
    random = Random(_SEED)

    def make(_settings: Any, _context: Context) -> Noisy:
        return Noisy(random, slow=slow, failed=failed)

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


def test_three_hours_of_usual_noise_fire_nothing() -> None:
    lasting = timedelta(hours=3)
    assert run_virtually(_noise(slow=SLOW, failed=FAILED, lasting=lasting)) == {}


def test_an_hour_of_more_noise_fires() -> None:
    said = run_virtually(_noise(slow=0.3, failed=0.3, lasting=timedelta(hours=1)))
    assert {"High Error Rate", "Slow Response Time"} & set(said), said
