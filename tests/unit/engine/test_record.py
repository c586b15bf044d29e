"""Samples on their way to the history: in order, in bounded pieces, none lost to a failing disk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stewardmon.domain.labels import NAME, Labels
from stewardmon.engine import record
from stewardmon.engine.record import Recorder
from stewardmon.engine.turns import Turns
from stewardmon.errors import StoreError
from stewardmon.ports import Points
from stewardmon.stores.memory import MemoryHistory
from tests.support.virtual import VirtualClock

UP, DOWN = Labels({NAME: "up"}), Labels({NAME: "down"})


class Disk(MemoryHistory):
    """Fails as often as it is told to; knows how large each write was."""

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.sizes: list[int] = []

    async def write(self, batch: Sequence[tuple[Labels, Points]]) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        self.sizes.append(sum(len(points) for _, points in batch))
        await super().write(batch)


async def written(disk: Disk) -> list[tuple[Labels, list[tuple[int, float]]]]:
    found = await disk.read((), start_ms=0, end_ms=100)
    return [(labels, list(points)) for labels, points in found]


async def test_much_is_written_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "WRITTEN_AT_ONCE", 4)
    disk = Disk()
    recorder = Recorder(disk, VirtualClock())
    for at in range(5):
        recorder.take_all([UP, DOWN], at, [1.0, 0.0])
    await recorder.flush()
    assert disk.sizes == [4, 4, 2]
    assert await written(disk) == [
        (UP, [(at, 1.0) for at in range(5)]),
        (DOWN, [(at, 0.0) for at in range(5)]),
    ]


async def test_little_is_written_at_once_while_people_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "LITTLE_AT_ONCE", 3)
    turns, disk = Turns(), Disk()
    recorder = Recorder(disk, VirtualClock(), turns=turns)
    async with turns.turn(person=True):
        recorder.take_all([UP, DOWN, UP, DOWN], 1, [1.0] * 4)
    await recorder.flush()
    assert disk.sizes == [3, 1]


async def test_what_could_not_be_written_goes_before_what_came_later() -> None:
    disk = Disk(failures=1)
    recorder = Recorder(disk, VirtualClock())
    recorder.take(UP, 1, 1.0)
    await recorder.flush()
    recorder.take(UP, 2, 2.0)
    recorder.take(UP, 1, 3.0)  # of two at one instant the later one stays
    await recorder.flush()
    assert await written(disk) == [(UP, [(1, 3.0), (2, 2.0)])]


async def test_what_is_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PENDING_LIMIT", 2)
    disk = Disk()
    recorder = Recorder(disk, VirtualClock())
    recorder.take_all([UP, DOWN], 1, [1.0, 0.0])
    recorder.take_all([UP, DOWN], 2, [1.0, 0.0])
    await recorder.flush()
    assert disk.sizes == [2]
