"""What stewardmon finds out about itself is told at the look that finds it, not at the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stewardmon import metrics
from stewardmon.domain.labels import Labels
from stewardmon.engine.selfwatch import SelfWatch
from tests.support.virtual import VirtualClock


class Written:
    """A tape that keeps the newest value of every metric."""

    def __init__(self) -> None:
        self.newest: dict[str, float] = {}

    def append_all(self, labelled: Sequence[Labels], at_ms: int, values: Sequence[float]) -> None:
        """Keep the values."""
        for labels, value in zip(labelled, values, strict=True):
            self.newest[labels.value("__name__")] = value

    def mark_stale(self, labels: Labels, at_ms: int) -> None:
        """Forget nothing."""


async def test_a_look_tells_what_it_finds_and_nothing_of_another_daemon() -> None:
    def finds() -> Mapping[tuple[str, str, str], float]:
        metrics.OFFLINE.set(0)
        return {("stewardmon_probe_silent_intervals", "probe", "app"): 2.0}

    metrics.OFFLINE.set(1)  # a daemon that ran in this process before
    tape, clock = Written(), VirtualClock()
    await SelfWatch(tape, clock, location="here", extra=finds).look()  # type: ignore[arg-type]
    assert tape.newest["stewardmon_offline"] == 0
    assert tape.newest["stewardmon_probe_silent_intervals"] == 2
