"""The schema that this version wants, made in an empty database and completed in an older one."""

from __future__ import annotations

import re
from importlib import resources
from string import Template
from typing import Final

from stewardmon.errors import StoreError
from stewardmon.stores.dialect import Connection, Dialect

HEAD: Final = "0002"
"""The newest step of stores.migrations."""

_VERSION: Final = "schema_version"
_FORMER: Final = "alembic_version"
"""What the table was called when Alembic kept it: states of that time are opened as they are."""


def bring_up_to_date(connection: Connection, dialect: Dialect) -> None:
    """Run the steps that the database lacks within the running transaction.

    Raises StoreError for a state that a newer version made: reading it by guess could lose pages.
    """
    dialect.lock(connection)
    found = _revision(connection, dialect)
    if found > HEAD:
        raise StoreError(
            f"the state was made by a newer stewardmon (revision {found}, this one knows {HEAD}): "
            "upgrade stewardmon, or start with another --state"
        )
    if found == HEAD:
        return
    for name, script in steps():
        if name > found:
            for statement in _statements(Template(script).substitute(dialect.types)):
                connection.execute(statement)
    connection.execute(f"UPDATE {_VERSION} SET version_num = ?", (HEAD,))


def _revision(connection: Connection, dialect: Dialect) -> str:
    """Return the step that the database has reached, empty where it has none."""
    if dialect.has(connection, _FORMER):
        connection.execute(f"ALTER TABLE {_FORMER} RENAME TO {_VERSION}")
    if not dialect.has(connection, _VERSION):
        connection.execute(f"CREATE TABLE {_VERSION} (version_num TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {_VERSION} VALUES ('')")
    ((found,),) = connection.execute(f"SELECT version_num FROM {_VERSION}")
    return str(found)


def steps() -> list[tuple[str, str]]:
    """Return number and script of every step, in order."""
    files = resources.files("stewardmon.stores.migrations").iterdir()
    scripts = [file for file in files if file.name.endswith(".sql")]
    return sorted((file.name.partition("_")[0], file.read_text("utf-8")) for file in scripts)


def _statements(script: str) -> list[str]:
    bare = re.sub(r"--.*", "", script)
    return [statement for part in bare.split(";") if (statement := part.strip())]
