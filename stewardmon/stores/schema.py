"""The tables of DESIGN section 4: one schema for SQLite and PostgreSQL.

Columns hold what SQL has to decide on or a person looks for; `body` holds the whole value as JSON
(see codec), so that a new field of the domain needs no migration. Times are microseconds since
1970 UTC, those of samples milliseconds.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata: Final = MetaData()

# SQLite counts only plain INTEGER keys up by itself.
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

alert: Final = Table(
    "alert",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("active_at", BigInteger, nullable=False),
    Column("fired_at", BigInteger),
    Column("resolved_at", BigInteger),
    Column("body", Text, nullable=False),
)

incident: Final = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("resolved_at", BigInteger),
    Column("reached", Integer, nullable=False),
    Column("next_step_at", BigInteger),
    Column("snoozed_until", BigInteger),
    Column("body", Text, nullable=False),
    Index("incident_by_opening", "opened_at"),
    Index("incident_by_resolve", "resolved_at"),
)

# The firing alerts of an incident stand by themselves: an acknowledgement during a storm of
# 10,000 alerts then writes one small row and not 4 MB.
member: Final = Table(
    "member",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

event: Final = Table(
    "event",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("event_by_incident", "incident"),
    Index("event_by_time", "at"),
    sqlite_autoincrement=True,
)

# Rows that wait are few, whatever was sent before. stores.postgres says the same to PostgreSQL:
# said here, it would load SQLAlchemy's part for it.
PENDING: Final = text("state = 'pending'")
PARTIAL: Final = (
    Index("outbox_due", "due_at", sqlite_where=PENDING),
    Index("outbox_in_order", "incident", "channel", "address", "number", sqlite_where=PENDING),
)

# `withdrawn` is the reason for which a row that a sender holds is not to be tried again.
outbox: Final = Table(
    "outbox",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("dedup_key", Text, nullable=False, unique=True),
    Column("incident", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("pages", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("withdrawn", Text),
    Column("payload", Text, nullable=False),
    Index("outbox_by_incident", "incident"),
    *PARTIAL,
    sqlite_autoincrement=True,
)

# What people set at run time and what jobs report: `kind` is silence, maintenance, override,
# heartbeat…, each readable as a view of that name.
record: Final = Table(
    "record",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

leader: Final = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

series: Final = Table(
    "series",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("labels", Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# `resolution` is 0 for raw samples (a row an hour), 300000 for five-minute roll-ups (a row a day).
chunk: Final = Table(
    "chunk",
    metadata,
    Column("series", BigInteger, primary_key=True),
    Column("resolution", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("samples", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("chunk_by_time", "resolution", "start_ms"),
)

# What has been written since the hour was last closed: a row a write, all series in it.
tail: Final = Table(
    "tail",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

KINDS: Final = ("silence", "maintenance", "override", "heartbeat")

VIEWS: Final = tuple(
    f"CREATE VIEW {kind} AS SELECT id, body FROM record WHERE kind = '{kind}'"  # noqa: S608
    for kind in KINDS
)
