"""The log is emptied beside the writer, and by the writer where that fails."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from stewardmon.stores.checkpoints import EVERY, Checkpoints
from stewardmon.stores.sqlite import SqliteDialect
from tests.support.waiting import until

BODY = "x" * 20_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def dialect(path: Path) -> Iterator[SqliteDialect]:
    found = SqliteDialect(path, durable=True, exclusive=True)
    found.hold()
    yield found
    found.release()


def write(dialect: SqliteDialect, path: Path) -> None:
    """Write, and see it moved: while a connection is open nothing but a checkpoint does that."""
    before = path.stat().st_size
    with closing(dialect.connect()) as connection:
        connection.begin(reads=False)
        connection.execute("CREATE TABLE IF NOT EXISTS kept (body TEXT)")
        connection.commit()
        for _ in range(EVERY):
            connection.begin(reads=False)
            connection.execute("INSERT INTO kept VALUES (?)", (BODY,))
            connection.commit()
        most = before + EVERY * len(BODY) // 2
        until(lambda: path.stat().st_size > most, what="what was written is moved", within=10)


def keepers() -> int:
    return sum(one.name == "state-checkpoints" for one in threading.enumerate())


def test_what_was_written_is_moved_without_a_commit_that_waits(
    dialect: SqliteDialect, path: Path
) -> None:
    write(dialect, path)
    assert keepers() == 1
    dialect.release()
    assert keepers() == 0


def test_reading_moves_nothing(dialect: SqliteDialect) -> None:
    with closing(dialect.connect()) as connection:
        for _ in range(EVERY * 2):
            connection.begin(reads=True)
            connection.execute("SELECT 1")
            connection.commit()
    assert keepers() == 0


def test_a_state_that_is_let_go_and_taken_up_again_is_kept_short_again(
    dialect: SqliteDialect, path: Path
) -> None:
    write(dialect, path)
    dialect.release()
    dialect.hold()
    write(dialect, path)


def test_one_that_fails_is_left_to_the_next() -> None:
    asked: list[int] = []

    def connect() -> sqlite3.Connection:
        asked.append(len(asked))
        raise sqlite3.OperationalError("disk I/O error")

    keeper = Checkpoints(connect)
    for tries in (1, 2):
        for _ in range(EVERY):
            keeper.wrote()
        until(partial(_are, asked, tries), what="it is tried", within=10)
    keeper.stop()


def _are(asked: list[int], tries: int) -> bool:
    return len(asked) == tries
