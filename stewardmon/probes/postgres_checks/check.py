"""What a check of a database is, is given, and returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_session import Session
from stewardmon.settings import DirectoryPath, Duration, Field, Settings


@dataclass(frozen=True, slots=True)
class Found:
    """What a check measured, and a sentence for each thing that is wrong.

    `absent` says why there is nothing to see here, where there is not: a table or an extension that
    this database does not have.
    """

    measurements: tuple[Measurement, ...] = ()
    findings: tuple[str, ...] = ()
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedIndex(Settings):
    """An index that must be there, by what it indexes: names differ from guide to schema."""

    table: str
    columns: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Settings):
    """A column whose values must stand in another table's column, though no constraint says so."""

    table: str
    column: str
    to: str
    to_column: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Settings):
    """Where each figure becomes a finding: the warnings of PLATFORM.md section 4."""

    transaction_age: Duration = timedelta(seconds=60)
    idle_transaction_age: Duration = timedelta(seconds=60)
    blocked: int = Field(default=0, ge=0)
    replication_lag: Duration = timedelta(seconds=60)
    slot_bytes: int = Field(default=1024**3, ge=0)
    wraparound_age: int = Field(default=500_000_000, ge=0)
    dead_tuples: float = Field(default=2.0, ge=0)
    statement_mean: Duration = timedelta(milliseconds=500)


@dataclass(frozen=True, kw_only=True)  # no slots: of two bases only one may have some
class CheckSettings(Settings):
    """What the checks look for.

    `tables` must be there, `indexes` are wanted by columns, `references` must lead somewhere.
    `migrations` maps the names that the app's source holds to their checksums (sha256 of
    migration.sql, empty where unknown); `migrations_folder` is the source's own `prisma/migrations`
    instead. `stuck_after` is how long a receipt may be in processing.
    """

    limits: Limits = Limits()
    tables: tuple[str, ...] = ("receipts",)
    indexes: tuple[WantedIndex, ...] = (
        WantedIndex(table="receipts", columns=("userId", "purchaseDate")),
    )
    references: tuple[Reference, ...] = (
        Reference(table="receipts", column="userId", to="auth.users"),
    )
    migrations: Mapping[str, str] = Field(default_factory=dict)
    migrations_folder: DirectoryPath | None = None
    stuck_after: Duration = timedelta(hours=1)


Check = Callable[[Session, CheckSettings], Awaitable[Found]]


async def has_table(talk: Session, name: str) -> bool:
    """Say whether the search path, or the schema public, has the table."""
    row = await talk.row(
        "SELECT coalesce(to_regclass(quote_ident(%(name)s)),"
        " to_regclass('public.' || quote_ident(%(name)s))) IS NOT NULL AS there",
        {"name": name},
    )
    return bool(row["there"])


def seconds(value: timedelta) -> float:
    """Return the span in seconds."""
    return value.total_seconds()
