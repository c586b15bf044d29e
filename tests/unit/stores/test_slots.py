"""A tail that is sorted before its hour is over reads as one that is not."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.ports import History
from stewardmon.stores import open_store, tape
from stewardmon.stores.memory import MemoryHistory
from stewardmon.stores.tape import HOUR_MS

START = 1_760_000_400_000 // HOUR_MS * HOUR_MS
SERIES = [Labels({NAME: "m", "host": str(number)}) for number in range(9)]
STEP_MS = 60_000
EVERYTHING = (Matcher(NAME, Op.EQUAL, "m"),)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort after a few samples, a few series together."""
    monkeypatch.setattr(tape, "MOST_HELD", 40)
    monkeypatch.setattr(tape, "MOST_OF_EACH", 0)
    monkeypatch.setattr(tape, "SLOT", 2)
    monkeypatch.setattr("stewardmon.stores.recall.SLOT", 2)


async def told(history: History, start_ms: int, end_ms: int, *names: str) -> dict[Labels, object]:
    hosts = (Matcher("host", Op.MATCHES, "|".join(names)),) if names else ()
    matchers = (*EVERYTHING, *hosts)
    found = await history.read(matchers, start_ms=start_ms, end_ms=end_ms)
    return {labels: list(points) for labels, points in found}


@pytest.mark.parametrize("seed", range(6))
async def test_it_reads_as_memory_does(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = str(tmp_path / "state.db")
    plain, history = MemoryHistory(), open_store(path)[1]
    for minute in range(200):
        at = START + minute * STEP_MS
        batch = [
            (labels, [(at + chance.randrange(STEP_MS), chance.random())])
            for labels in chance.sample(SERIES, chance.randrange(1, 9))
        ]
        if chance.random() < 0.1:  # late ones, of this hour or one that is closed
            late = START + chance.randrange(at - START + 1)
            batch.append((SERIES[0], [(late, chance.random())]))
        for one in (plain, history):
            await one.write(batch)
        if chance.random() < 0.1:
            await history.close()
            history = open_store(path)[1]
        if chance.random() < 0.3:
            first, last = sorted(START + chance.randrange(200 * STEP_MS) for _ in range(2))
            names = [str(chance.randrange(9)) for _ in range(chance.randrange(3))]
            assert await told(history, first, last, *names) == await told(
                plain, first, last, *names
            )
    end = START + 200 * STEP_MS
    assert await told(history, START, end) == await told(plain, START, end)
    await history.close()


async def test_it_is_in_slots_before_the_hour_is_over_and_in_chunks_after(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    history = open_store(str(path))[1]

    def rows(what: str) -> int:
        with sqlite3.connect(tmp_path / "state.history.db") as connection:
            ((count,),) = connection.execute(f"SELECT count(*) FROM {what}")  # noqa: S608
        connection.close()
        return int(count)

    for minute in range(20):
        await history.write([(one, [(START + minute * STEP_MS, 1.0)]) for one in SERIES])
    assert rows("tail WHERE slot IS NOT NULL") >= 5
    assert rows("chunk") == 0
    await history.write([(SERIES[0], [(START + 2 * HOUR_MS, 1.0)])])
    assert rows("chunk") == len(SERIES)
    assert rows("tail") == 1
    await history.close()
