"""The schema is made step by step; an older state is completed, a newer one refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stewardmon.domain.change import Change
from stewardmon.errors import StoreError
from stewardmon.stores import open_store
from stewardmon.stores.dialect import Connection, Dialect
from stewardmon.stores.line import Line
from stewardmon.stores.postgres import PostgresDialect
from stewardmon.stores.sqlite import SqliteDialect
from stewardmon.stores.upgrade import HEAD, bring_up_to_date, steps

Make = Callable[[str], Dialect]
TABLES = ("alert", "incident", "member", "event", "outbox", "record", "leader", "series", "chunk")
VIEWS = ("silence", "maintenance", "override", "heartbeat")
INDEXES = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE tbl_name = 'outbox' AND type = 'index'",
    "postgres": "SELECT indexdef FROM pg_indexes WHERE tablename = 'outbox'",
}


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Return a maker of empty databases."""
    if request.param == "sqlite":
        return lambda name: SqliteDialect(tmp_path / name, durable=True, exclusive=False)
    server = request.getfixturevalue("postgres")
    return lambda name: PostgresDialect(server.create_database(f"{tmp_path.name}_{name}".lower()))


def test_every_table_and_view_is_there_and_empty(make: Make) -> None:
    dialect = make("empty")
    line = Line(dialect)
    line.run(lambda connection: bring_up_to_date(connection, dialect))
    for name in (*TABLES, "tail", *VIEWS):
        assert line.run(partial(counted, table=name)) == 0, name
    line.close()


def counted(connection: Connection, table: str) -> int:
    ((count,),) = connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(count)


def test_only_what_waits_is_in_the_indexes_of_the_outbox(make: Make) -> None:
    dialect = make("indexes")
    line = Line(dialect)
    line.run(lambda connection: bring_up_to_date(connection, dialect))
    asked = INDEXES["sqlite" if isinstance(dialect, SqliteDialect) else "postgres"]
    found = [str(sql) for (sql,) in line.run(lambda connection: connection.execute(asked))]
    waiting = [sql for sql in found if "'pending'" in sql]
    assert len(waiting) == 2
    assert all("outbox_due" in sql or "outbox_in_order" in sql for sql in waiting)
    line.close()


def test_the_newest_step_is_the_head() -> None:
    numbers = [number for number, _ in steps()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == HEAD


def test_opening_twice_changes_nothing(make: Make) -> None:
    dialect = make("twice")
    line = Line(dialect)
    for _ in range(2):
        line.run(lambda connection: bring_up_to_date(connection, dialect))
    line.close()


def test_a_step_that_fails_leaves_nothing_behind(make: Make) -> None:
    dialect = make("torn")
    line = Line(dialect)
    line.run(lambda connection: connection.execute("CREATE TABLE tail (number INTEGER)"))
    with pytest.raises(StoreError, match="tail"):
        line.run(lambda connection: bring_up_to_date(connection, dialect))
    assert not line.run(lambda connection: dialect.has(connection, "alert"))
    line.close()


async def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await opened_once(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=r"made by a newer stewardmon \(revision 9999"):
        await open_store(str(path))[0].open()


async def test_a_state_that_alembic_made_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await opened_once(path)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE schema_version RENAME TO alembic_version")
    connection.close()
    store, _ = open_store(str(path))
    await store.open()
    assert ("silence", "s1") in (await store.load()).records
    await store.close()


async def test_the_tables_of_design_are_there_for_people(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await opened_once(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM silence").fetchall() == [("s1", '{"by":"dev-a"}')]
    connection.close()


async def opened_once(path: Path) -> None:
    """Make a state with one silence in it."""
    store, _ = open_store(str(path))
    await store.open()
    await store.commit(Change(records={("silence", "s1"): {"by": "dev-a"}}))
    await store.close()
