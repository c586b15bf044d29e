"""The encryption probe: what ciphertexts at rest betray without being decrypted.

Equal plaintexts must not give equal ciphertexts, nor beginnings in common: either means a missing
or repeated initialisation vector (NIST SP 800-38D, section 8). The guide's own code makes an IV
and does not use it. Read by SQL, and never shown.

Series: stewardmon_encryption_findings{table, column, what}, stewardmon_encryption_values{table,
column}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from psycopg import sql

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.postgres_reader import PHASES, DatabaseSettings, read
from stewardmon.probes.postgres_session import Session
from stewardmon.probes.postgres_url import shown
from stewardmon.probes.rest import summed
from stewardmon.settings import AfterValidator, Field, Settings

# A random IV of 12 bytes and more fills these characters in hex and base64, whatever header of a
# few bytes stands before it; two values that share them by chance do not happen.
_START: Final = 32
_QUERY: Final = """
SELECT count(*) AS values, count(*) - count(DISTINCT v) AS equal,
  count(DISTINCT v) FILTER (WHERE length(v) > {start})
    - count(DISTINCT left(v, {start})) FILTER (WHERE length(v) > {start}) AS shared,
  count(*) FILTER (WHERE v ~ '[ @]') AS plain
FROM (SELECT {column}::text AS v FROM {table}
  WHERE {column} IS NOT NULL AND {column}::text <> '' LIMIT {rows}) AS found
"""
_SENTENCES: Final[Mapping[str, str]] = {
    "equal": "values are equal to others: the same text is encrypted the same way",
    "shared": "values begin as others do: no initialisation vector of their own",
    "plain": "values look like plain text",
}


def _name(value: str) -> str:
    if not 0 < len(value) <= 63 or "\x00" in value:
        raise ValueError("a name in the database, of at most 63 characters")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedColumn(Settings):
    """A column that holds ciphertexts, as text or bytes."""

    table: Annotated[str, AfterValidator(_name)]
    column: Annotated[str, AfterValidator(_name)]

    def query(self, rows: int) -> str:
        """Return the question about at most so many rows."""
        return (
            sql.SQL(_QUERY)
            .format(
                column=sql.Identifier(self.column),
                table=sql.Identifier(self.table),
                start=sql.Literal(_START),
                rows=sql.Literal(rows),
            )
            .as_string()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionSettings(DatabaseSettings):
    """Which columns are encrypted; at most `rows` values of each are read."""

    columns: tuple[EncryptedColumn, ...] = Field(min_length=1, max_length=20)
    rows: int = Field(default=10_000, ge=2, le=1_000_000)


class EncryptionProbe:
    """Looks at one database's encrypted columns."""

    def __init__(self, settings: EncryptionSettings) -> None:
        self.settings = settings
        self.progress = Progress(series=PHASES)

    async def ask(self) -> Outcome:
        """Ask once; fewer than two values of a column show nothing."""
        self.progress = Progress(series=PHASES)
        return await read(self.settings, self.progress, self._rows, self._told)

    async def _rows(self, talk: Session) -> list[tuple[EncryptedColumn, dict[str, Any]]]:
        settings = self.settings
        return [(one, await talk.row(one.query(settings.rows))) for one in settings.columns]

    def _told(self, found: list[tuple[EncryptedColumn, dict[str, Any]]]) -> Outcome:
        progress = self.progress
        lines = tuple(line for one, row in found for line in _lines(one, row))
        few = tuple(
            f"{one.table}.{one.column} was not seen: it holds fewer than two values"
            for one, row in found
            if row["values"] < 2
        )
        progress.leave()
        if lines:
            state, reason = State.DEGRADED, Reason.FINDING
        elif len(few) == len(found):
            state, reason = State.UNKNOWN, Reason.EMPTY
        else:
            state, reason = State.UP, Reason.OK
        return Outcome(
            state=state,
            reason=reason,
            detail=summed(lines) or (summed(few) if state is State.UNKNOWN else "nothing betrayed"),
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                *(number for one, row in found for number in _measured(one, row)),
            ),
            findings=(*lines, *few),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


def _lines(one: EncryptedColumn, row: Mapping[str, Any]) -> Iterator[str]:
    for what, sentence in _SENTENCES.items():
        if row[what]:
            yield f"{one.table}.{one.column}: {row[what]} of {row['values']} {sentence}"


def _measured(one: EncryptedColumn, row: Mapping[str, Any]) -> Iterator[Measurement]:
    where = {"table": one.table, "column": one.column}
    yield Measurement("stewardmon_encryption_values", float(row["values"]), where)
    if row["values"] > 1:
        for what in _SENTENCES:
            label = {**where, "what": what}
            yield Measurement("stewardmon_encryption_findings", float(row[what]), label)


def make(settings: EncryptionSettings, _shared: Context) -> EncryptionProbe:
    """Build the probe."""
    return EncryptionProbe(settings)


KIND: Final = Kind(
    settings=EncryptionSettings,
    make=make,
    cost=lambda _: Cost(connections=1),
    instance=lambda settings: shown(settings.parameters),
)
