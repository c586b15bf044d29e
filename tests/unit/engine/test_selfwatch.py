"""What stewardmon finds out about itself is told at the look that finds it, not at the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from stewardmon import metrics
from stewardmon.domain.labels import Labels
from stewardmon.engine import selfwatch
from stewardmon.engine.selfwatch import SAID_EVERY, SelfWatch
from tests.support.virtual import VirtualClock

SILENT = "stewardmon_probe_silent_intervals"


class Written:
    """A tape that keeps every sample by metric with the look that wrote it, and what ended."""

    def __init__(self) -> None:
        self.look = 0
        self.samples: dict[str, list[tuple[int, float]]] = {}
        self.ended: dict[str, int] = {}

    def append_all(self, labelled: Sequence[Labels], at_ms: int, values: Sequence[float]) -> None:
        """Keep the values."""
        for labels, value in zip(labelled, values, strict=True):
            self.samples.setdefault(labels.value("__name__"), []).append((self.look, value))

    def mark_stale(self, labels: Labels, at_ms: int) -> None:
        """Keep the look."""
        self.ended[labels.value("__name__")] = self.look

    def values(self, name: str) -> list[float]:
        return [value for _, value in self.samples[name]]


class Looking:
    """A look every so often at one figure that the test sets."""

    def __init__(self) -> None:
        self.figures: dict[tuple[str, str, str], float] = {(SILENT, "probe", "app"): 0.0}
        self.tape = Written()
        self.watch = SelfWatch(self.tape, VirtualClock(), location="here", extra=self._extra)  # type: ignore[arg-type]

    def _extra(self) -> Mapping[tuple[str, str, str], float]:
        return self.figures

    async def look(self, *values: float) -> None:
        """Look once at each of these values, one after the other."""
        for value in values:
            self.figures[SILENT, "probe", "app"] = value
            self.tape.look += 1
            await self.watch.look()


async def test_a_look_tells_what_it_finds_and_nothing_of_another_daemon() -> None:
    def finds() -> Mapping[tuple[str, str, str], float]:
        metrics.OFFLINE.set(0)
        return {(SILENT, "probe", "app"): 2.0}

    metrics.OFFLINE.set(1)  # a daemon that ran in this process before
    tape, clock = Written(), VirtualClock()
    await SelfWatch(tape, clock, location="here", extra=finds).look()  # type: ignore[arg-type]
    assert tape.values("stewardmon_offline") == [0]
    assert tape.values(SILENT) == [2]


async def test_what_changes_is_written_at_every_look() -> None:
    looking = Looking()
    await looking.look(0, 1, 2, 0)
    assert looking.tape.values(SILENT) == [0, 1, 2, 0]


async def test_what_stands_still_is_written_now_and_then() -> None:
    looking = Looking()
    await looking.look(*[0.0] * (2 * SAID_EVERY + 1))
    looks = [look for look, _ in looking.tape.samples[SILENT]]
    assert looks == [1, 1 + SAID_EVERY, 1 + 2 * SAID_EVERY]


async def test_what_changed_in_between_is_not_written_again_at_once() -> None:
    looking = Looking()
    await looking.look(0, 1, 1, 1, 1)
    assert looking.tape.values(SILENT) == [0, 1, 1]


async def test_what_is_gone_ends_at_the_next_look() -> None:
    looking = Looking()
    await looking.look(0, 0)
    looking.figures.clear()
    looking.tape.look = 3
    await looking.watch.look()
    assert looking.tape.ended[SILENT] == 3


@pytest.mark.parametrize("at_once", [1, 2])
async def test_a_look_in_many_turns_tells_the_same(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfwatch, "AT_ONCE", at_once)
    looking = Looking()
    await looking.look(0, 1)
    assert looking.tape.values(SILENT) == [0, 1]
    assert looking.tape.ended == {}
