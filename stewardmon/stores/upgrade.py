"""The schema that this version wants: made in an empty database, migrated to in an older one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from stewardmon.errors import StoreError
from stewardmon.stores.dialect import Dialect
from stewardmon.stores.schema import VIEWS, metadata

HEAD: Final = "0001"
"""The newest revision of migrations/versions."""

_REVISIONS: Final = """CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"""  # as Alembic makes it

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def bring_up_to_date(connection: Connection, dialect: Dialect) -> None:
    """Make or migrate the tables within the running transaction.

    Raises StoreError for a state that a newer version made: reading it by guess could lose pages.
    """
    dialect.lock(connection)
    found = _revision(connection)
    if found == HEAD:
        return
    if found is None:
        create(connection)
        return
    if found > HEAD:
        raise StoreError(
            f"the state was made by a newer stewardmon (revision {found}, this one knows {HEAD}): "
            "upgrade stewardmon, or start with another --state"
        )
    migrate(connection)


def create(connection: Connection) -> None:
    """Make every table in an empty database, as the migrations would (a test compares them)."""
    metadata.create_all(connection)
    for view in VIEWS:
        connection.execute(text(view))
    connection.execute(text(_REVISIONS))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def migrate(connection: Connection) -> None:
    """Run the migrations that the database lacks."""
    # Alembic costs half a second to import and is needed once in a version's life.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
