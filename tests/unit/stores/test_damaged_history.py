"""A history that was cut short: what can be read is read, and it goes on being written."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from stewardmon.domain.labels import Labels
from stewardmon.errors import StoreError
from stewardmon.ports import History
from stewardmon.stores import open_store
from stewardmon.stores.chunks import pack, unpack
from stewardmon.stores.tape import HOUR_MS
from stewardmon.stores.track import Track

START = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1000)
UP = Labels({"__name__": "up", "job": "app"})
DOWN = Labels({"__name__": "up", "job": "database"})


def hour(number: int) -> list[tuple[int, float]]:
    return [(START + number * HOUR_MS + n * 60_000, n / 7) for n in range(60)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def history_of(path: Path) -> History:
    return open_store(str(path))[1]


def spoil(path: Path, statement: str, *values: int) -> int:
    """Change the file as no program of ours would; return how many rows it was."""
    with sqlite3.connect(path.with_name("state.history.db")) as connection:
        return connection.execute(statement, values).rowcount


async def read(history: History) -> dict[Labels, list[tuple[int, float]]]:
    return {
        labels: list(points)
        for labels, points in await history.read((), start_ms=0, end_ms=START * 2)
    }


async def written(
    path: Path, batches: Sequence[Sequence[tuple[Labels, list[tuple[int, float]]]]]
) -> None:
    history = history_of(path)
    for batch in batches:
        await history.write(batch)
    await history.close()


async def test_a_chunk_cut_short_costs_that_hour_of_that_series(path: Path) -> None:
    await written(path, [[(UP, hour(n)), (DOWN, hour(n))] for n in range(4)])
    cut = """UPDATE chunk SET body = substr(body, 1, length(body) - 9)
        WHERE start_ms = ? AND series = 1"""
    assert spoil(path, cut, START + HOUR_MS) == 1
    history = history_of(path)
    with structlog.testing.capture_logs() as logs:
        found = await read(history)
        await read(history)
    assert found[DOWN] == [point for n in range(4) for point in hour(n)]
    assert found[UP] == [point for n in (0, 2, 3) for point in hour(n)]
    assert [one["event"] for one in logs] == ["history_damaged"]  # it is told once
    late = hour(1)[7:9]
    await history.write([(UP, late)])
    await history.write([(UP, hour(5)), (DOWN, hour(5))])
    assert (await read(history))[UP] == [*hour(0), *late, *hour(2), *hour(3), *hour(5)]
    await history.close()


async def test_a_damaged_chunk_does_not_keep_old_ones_from_being_thinned(path: Path) -> None:
    await written(path, [[(UP, hour(n)), (DOWN, hour(n))] for n in range(4)])
    assert spoil(path, "UPDATE chunk SET body = x'01' WHERE series = 1") > 1
    history = history_of(path)
    now = datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=33)
    await history.prune(now=now)
    found = await read(history)
    assert len(found[DOWN]) >= 3 * 12
    await history.close()


async def test_a_damaged_tail_costs_its_batch(path: Path) -> None:
    await written(path, [[(UP, hour(0)[:20])], [(UP, hour(0)[20:40])], [(UP, hour(0)[40:])]])
    assert spoil(path, "UPDATE tail SET body = substr(body, 1, 20) WHERE number = 2") == 1
    history = history_of(path)
    assert (await read(history))[UP] == [*hour(0)[:20], *hour(0)[40:]]
    await history.write([(UP, hour(2))])  # the hour is closed all the same
    assert (await read(history))[UP] == [*hour(0)[:20], *hour(0)[40:], *hour(2)]
    await history.close()


async def test_a_chunk_of_a_newer_version_is_left_alone(path: Path) -> None:
    await written(path, [[(UP, hour(n))] for n in range(3)])
    assert spoil(path, "UPDATE chunk SET body = CAST(x'02' || substr(body, 2) AS BLOB)") > 0
    history = history_of(path)
    with pytest.raises(StoreError, match="needs a newer stewardmon"):
        await read(history)
    with pytest.raises(StoreError, match="needs a newer stewardmon"):
        await history.write([(UP, hour(0)[:1]), (UP, hour(6))])
    await history.close()


def test_a_constant_hour_cut_short_is_seen() -> None:
    body = pack(Track.of([(n, 1.0) for n in range(5)]))
    for end in range(len(body)):
        with pytest.raises(StoreError):
            unpack(body[:end])


async def test_a_kill_in_the_middle_of_closing_an_hour_loses_and_doubles_nothing(
    path: Path,
) -> None:
    code = """
import asyncio, os, signal, sys
from stewardmon.stores import open_store, tape
from tests.unit.stores.test_damaged_history import UP, hour

async def main():
    _, history = open_store(sys.argv[1])
    await history.write([(UP, hour(0)[:30])])
    await history.write([(UP, hour(0)[30:])])
    merge = tape.Tape._merge
    def struck(self, connection, pieces):
        merge(self, connection, pieces)
        os.kill(os.getpid(), signal.SIGKILL)
    tape.Tape._merge = struck
    await history.write([(UP, hour(2)[:5])])

asyncio.run(main())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(path)], env=dict(os.environ),
        cwd=Path(__file__).parents[3], check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    history = history_of(path)
    assert (await read(history))[UP] == [*hour(0), *hour(2)[:5]]
    await history.write([(UP, hour(2)[5:])])
    await history.write([(UP, hour(4))])
    assert (await read(history))[UP] == [*hour(0), *hour(2), *hour(4)]
    await history.close()
