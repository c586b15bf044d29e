"""What can go wrong with a file: each gets one sentence, and is got over when it passes."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stewardmon.domain.change import Change
from stewardmon.domain.labels import Labels
from stewardmon.errors import StoreError
from stewardmon.ports import Store
from stewardmon.stores import open_store, sqlite
from tests.contracts.store_values import alert, event, incident


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def garbage(path: Path) -> Path:
    path.write_bytes(os.urandom(8192))
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store, _ = open_store(str(path))
    await store.open()
    yield store
    await store.close()


async def refusal(name: str | Path) -> str:
    """Return the sentence with which a state is refused."""
    store, _ = open_store(str(name))
    with pytest.raises(StoreError) as caught:
        await store.open()
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


async def test_a_directory(tmp_path: Path) -> None:
    assert f"{tmp_path} is a directory: name a file in it" in await refusal(tmp_path)


async def test_a_missing_directory(tmp_path: Path) -> None:
    sentence = await refusal(tmp_path / "nowhere" / "state.db")
    assert f"directory {tmp_path / 'nowhere'} does not exist: create it" in sentence


async def test_a_path_that_cannot_be_written() -> None:
    sentence = await refusal("/proc/state.db")
    assert "/proc/state.db cannot be written" in sentence


async def test_garbage(garbage: Path) -> None:
    before = await asyncio.to_thread(garbage.read_bytes)
    assert "is damaged or not a database: restore it from a backup" in await refusal(garbage)
    assert await asyncio.to_thread(garbage.read_bytes) == before


async def test_a_damaged_database(path: Path) -> None:
    store, _ = open_store(str(path))
    await store.open()
    await store.commit(Change(alerts=tuple(alert(f"A{n}") for n in range(500))))
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    assert "is damaged or not a database" in await refusal(path)


async def test_a_second_daemon(store: Store, path: Path) -> None:
    assert "is in use by another stewardmon" in await refusal(path)
    await store.close()
    second, _ = open_store(str(path))
    await second.open()
    await second.close()


async def test_a_second_process(store: Store, path: Path) -> None:
    code = (
        "import asyncio, sys; from stewardmon.stores import open_store\n"
        "asyncio.run(open_store(sys.argv[1])[0].open())"
    )
    done = await asyncio.to_thread(run, code, path)
    assert "StoreError" in done.stderr
    assert "in use by another stewardmon" in done.stderr


async def test_only_the_owner_may_read_it(path: Path) -> None:
    store, history = open_store(str(path))
    await store.open()
    await store.commit(Change(incidents=(incident(),)))
    await history.write([(Labels({"a": "b"}), [(1, 1.0)])])
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert {"state.db", "state.history.db", "state.db.lock", "state.db-wal"} <= files.keys()
    assert set(files.values()) == {0o600}
    await store.close()
    await history.close()


async def test_another_program_holding_the_lock(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another program"):
        await store.commit(Change(incidents=(incident(),)))
    other.execute("ROLLBACK")
    other.close()
    await store.commit(Change(incidents=(incident(),)))
    assert await store.incident("i1") == incident()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code in another process, with the state's path as its argument."""
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file of this process grow beyond `room` bytes: what a full disk does to writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


async def test_a_full_disk_keeps_nothing_of_a_change_and_is_got_over(
    store: Store, path: Path
) -> None:
    await store.commit(Change(incidents=(incident(),)))
    room = path.with_name("state.db-wal").stat().st_size
    storm = Change(
        alerts=tuple(alert(f"A{n}") for n in range(2_000)),
        incidents=(incident(reached=1),),
        events=(event(),),
    )
    with full_disk(room):
        with pytest.raises(StoreError, match=r"disk of the state .* is full"):
            await store.commit(storm)
        assert await store.incident("i1") == incident()
    assert (await store.load()).alerts == ()
    await store.commit(storm)
    assert len((await store.load()).alerts) == 2_000
    assert await store.incident("i1") == incident(reached=1)


async def test_a_full_disk_costs_the_history_only_the_batch(path: Path) -> None:
    _, history = open_store(str(path))
    labels = Labels({"__name__": "up"})
    await history.write([(labels, [(1, 1.0)])])
    room = path.with_name("state.history.db-wal").stat().st_size
    batch = [(Labels({"n": str(n)}), [(2, n / 7)]) for n in range(2_000)]
    with full_disk(room), pytest.raises(StoreError, match=r"disk of the state .* is full"):
        await history.write(batch)
    await history.write([*batch, (labels, [(3, 2.0)])])
    found = dict(await history.read((), start_ms=0, end_ms=9))
    assert len(found) == 2_001
    assert list(found[labels]) == [(1, 1.0), (3, 2.0)]
    await history.close()


async def test_what_was_committed_survives_a_kill(path: Path) -> None:
    code = """
import asyncio, os, signal, sys
from stewardmon.domain.change import Change
from stewardmon.stores import open_store
from tests.contracts.store_values import delivery, incident

async def main():
    store, _ = open_store(sys.argv[1])
    await store.open()
    await store.commit(Change(incidents=(incident(),), deliveries=(delivery(),)))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    done = await asyncio.to_thread(run, code, path)
    assert done.returncode == -signal.SIGKILL
    store, _ = open_store(str(path))
    await store.open()
    assert (await store.load()).incidents == (incident(),)
    assert [row.dedup_key for row in await store.unsettled()] == ["k1"]
    await store.close()


async def test_a_closed_store_says_so(path: Path) -> None:
    store, _ = open_store(str(path))
    with pytest.raises(StoreError, match="the state is closed"):
        await store.commit(Change(incidents=(incident(),)))


@pytest.mark.parametrize("name", ["mysql://u:secret@h/d", "", "sqlite:///", "memory://x"])
def test_an_address_that_names_no_state(name: str) -> None:
    with pytest.raises(StoreError, match="name a path, sqlite:///path or postgresql://") as caught:
        open_store(name)
    assert "secret" not in str(caught.value)


def test_an_address_of_postgresql_that_is_none() -> None:
    with pytest.raises(StoreError, match="not a PostgreSQL URL") as caught:
        open_store("postgresql://u:secret@h:port/d")
    assert "secret" not in str(caught.value)
