"""The first schema: alerts, incidents, timeline, outbox, records, leader, history."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final[str | None] = None

_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PENDING: Final = sa.text("state = 'pending'")
_KINDS: Final = ("silence", "maintenance", "override", "heartbeat")


def upgrade() -> None:
    """Make every table."""
    _decisions()
    _outbox()
    _records()
    _history()


def _decisions() -> None:
    op.create_table(
        "alert",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("active_at", sa.BigInteger, nullable=False),
        sa.Column("fired_at", sa.BigInteger),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("reached", sa.Integer, nullable=False),
        sa.Column("next_step_at", sa.BigInteger),
        sa.Column("snoozed_until", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("incident_by_opening", "incident", ["opened_at"])
    op.create_index("incident_by_resolve", "incident", ["resolved_at"])
    op.create_table(
        "member",
        sa.Column("incident", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("event_by_incident", "event", ["incident"])
    op.create_index("event_by_time", "event", ["at"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("dedup_key", sa.Text, nullable=False, unique=True),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("pages", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("withdrawn", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_incident", "outbox", ["incident"])
    op.create_index(
        "outbox_due", "outbox", ["due_at"], sqlite_where=_PENDING, postgresql_where=_PENDING
    )
    op.create_index(
        "outbox_in_order",
        "outbox",
        ["incident", "channel", "address", "number"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def _records() -> None:
    op.create_table(
        "record",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    for kind in _KINDS:
        view = f"SELECT id, body FROM record WHERE kind = '{kind}'"  # noqa: S608
        op.execute(f"CREATE VIEW {kind} AS {view}")
    op.create_table(
        "leader",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )


def _history() -> None:
    op.create_table(
        "series",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("labels", sa.Text, nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chunk",
        sa.Column("series", sa.BigInteger, primary_key=True),
        sa.Column("resolution", sa.Integer, primary_key=True),
        sa.Column("start_ms", sa.BigInteger, primary_key=True),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("chunk_by_time", "chunk", ["resolution", "start_ms"])
    op.create_table(
        "tail",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
