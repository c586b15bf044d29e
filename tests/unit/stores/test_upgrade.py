"""The schema made in one go equals the migrations; what a newer version made is refused."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from stewardmon.domain.change import Change
from stewardmon.errors import StoreError
from stewardmon.stores import open_store
from stewardmon.stores.dialect import Dialect
from stewardmon.stores.line import Line
from stewardmon.stores.postgres import PostgresDialect
from stewardmon.stores.schema import KINDS, metadata
from stewardmon.stores.sqlite import SqliteDialect
from stewardmon.stores.upgrade import HEAD, MIGRATIONS, bring_up_to_date, create, migrate

Make = Callable[[str], Dialect]


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Return a maker of empty databases."""
    if request.param == "sqlite":
        return lambda name: SqliteDialect(tmp_path / name, durable=True, exclusive=False)
    server = request.getfixturevalue("postgres")
    return lambda name: PostgresDialect(server.create_database(f"{tmp_path.name}_{name}".lower()))


def partial(index: Any) -> list[str]:
    """Return which rows an index holds: empty for all of them."""
    options = index.get("dialect_options", {})
    return [
        re.sub(r"\W|text", "", str(where))
        for name, where in options.items()
        if name.endswith("_where")
    ]


def shape(connection: Connection) -> object:
    """Return everything there is in a database, comparable."""
    found = inspect(connection)
    tables = {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in columns],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (index["name"], index["column_names"], partial(index))
                for index in found.get_indexes(table)
            ),
            sorted(str(one["column_names"]) for one in found.get_unique_constraints(table)),
        )
        for table in found.get_table_names()
        if (columns := found.get_columns(table))
    }
    return tables, sorted(found.get_view_names())


def waiting_alone(connection: Connection) -> set[str | None]:
    """Return the outbox's indexes that hold only what waits."""
    indexes = inspect(connection).get_indexes("outbox")
    return {one["name"] for one in indexes if partial(one) == ["statepending"]}


def test_the_schema_at_once_equals_the_migrations(make: Make) -> None:
    at_once, step_by_step = Line(make("at_once")), Line(make("step_by_step"))
    at_once.run(create)
    step_by_step.run(migrate)
    assert at_once.run(shape) == step_by_step.run(shape)
    assert at_once.run(waiting_alone) == {"outbox_due", "outbox_in_order"}
    for line in (at_once, step_by_step):
        differences = line.run(
            lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
        assert differences == []
        line.close()


def test_the_newest_migration_is_the_head() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_opening_twice_changes_nothing(make: Make) -> None:
    dialect = make("twice")
    line = Line(dialect)
    for _ in range(2):
        line.run(lambda connection: bring_up_to_date(connection, dialect))
    line.close()


def test_every_kind_of_record_is_a_view(make: Make) -> None:
    line = Line(make("views"))
    line.run(create)
    assert set(KINDS) <= set(line.run(lambda connection: inspect(connection).get_view_names()))
    line.close()


async def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store, _ = open_store(str(path))
    await store.open()
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=r"made by a newer stewardmon \(revision 9999"):
        await open_store(str(path))[0].open()


async def test_the_tables_of_design_are_there_for_people(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store, _ = open_store(str(path))
    await store.open()
    await store.commit(Change(records={("silence", "s1"): {"by": "dev-a"}}))
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM silence").fetchall() == [("s1", '{"by":"dev-a"}')]
    connection.close()
