"""The postgres_query probe: a question of the operator's own, asked read-only and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.condition import Condition, Expected
from stewardmon.probes.postgres_reader import PHASES, DatabaseSettings, read
from stewardmon.probes.postgres_session import Session
from stewardmon.probes.postgres_url import shown
from stewardmon.settings import AfterValidator, Field

_CURSOR: Final = "stewardmon_rows"
_MOST_ROWS: Final = 10_000
_MOST_VALUES: Final = 20  # series of one probe: a wide row must not become a flood


def _one_statement(query: str) -> str:
    """Refuse more than one statement: a second one could end the read-only transaction."""
    text = query.strip().removesuffix(";").rstrip()
    if not re.match(r"(?i)(?:select|with|values|table)\b", text):
        raise ValueError("a query starts with SELECT, WITH, VALUES or TABLE")
    if ";" in re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"", "", text):
        raise ValueError("one statement only, without a semicolon inside")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings(DatabaseSettings):
    """A query, and what its answer must be.

    `expect` holds conditions for columns, met by every row; `rows` one for the number of rows.
    The first row's numeric columns become `stewardmon_query_value{column}`. At most `row_cap` rows
    are read.
    """

    query: Annotated[str, AfterValidator(_one_statement)]
    expect: Mapping[str, Expected] = Field(default_factory=dict)
    rows: Expected | None = None
    row_cap: int = Field(default=1000, ge=1, le=_MOST_ROWS)


class QueryProbe:
    """Asks one query."""

    def __init__(self, settings: QuerySettings) -> None:
        self.settings = settings
        self.progress = Progress(series=PHASES)

    async def ask(self) -> Outcome:
        """Ask once; the transaction is read-only and rolled back."""
        progress = self.progress = Progress(series=PHASES)
        return await read(
            self.settings,
            progress,
            self._rows,
            lambda found: _judged(self.settings, found, progress),
        )

    async def _rows(self, talk: Session) -> list[dict[str, Any]]:
        """Return the rows up to the cap: by a cursor, so that a million stay where they are."""
        await talk.rows(f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {self.settings.query}")
        return await talk.rows(f"FETCH {self.settings.row_cap} FROM {_CURSOR}")

    async def close(self) -> None:
        """Nothing is kept between asks."""


def _judged(settings: QuerySettings, found: list[dict[str, Any]], progress: Progress) -> Outcome:
    complaints = tuple(_complaints(settings, found))
    measurements = (
        *progress.measurements(),
        Measurement("stewardmon_query_rows", float(len(found))),
        *_values(found),
    )
    detail = complaints[0] if complaints else f"{len(found)} rows as expected"
    if len(complaints) > 1:
        detail += f", and {len(complaints) - 1} more"
    return Outcome(
        state=State.DOWN if complaints else State.UP,
        reason=Reason.FINDING if complaints else Reason.OK,
        detail=detail,
        phases=progress.phases,
        measurements=measurements,
        findings=complaints[:10],
    )


def _complaints(settings: QuerySettings, found: list[dict[str, Any]]) -> Iterator[str]:
    if settings.rows is not None:
        yield from settings.rows.complaints("the number of rows", len(found))
    if settings.expect and not found:
        yield "the query returned no row"
    for number, row in enumerate(found, start=1):
        for column, condition in settings.expect.items():
            yield from _column(column, condition, row, number)


def _column(
    column: str, condition: Condition, row: Mapping[str, Any], number: int
) -> Iterator[str]:
    name = column if number == 1 else f"{column} of row {number}"
    if column in row:
        yield from condition.complaints(name, _plain(row[column]))
    elif condition.exists and number == 1:
        yield f"{column} is no column of the query"


def _values(found: list[dict[str, Any]]) -> Iterator[Measurement]:
    columns = list(found[0].items())[:_MOST_VALUES] if found else []
    for column, value in columns:
        plain = _plain(value)
        if isinstance(plain, (int, float)):
            yield Measurement("stewardmon_query_value", float(plain), {"column": column})


def _plain(value: Any) -> Any:
    """Return the value as JSON would hold it; intervals are seconds, times ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    return (
        value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)
    )


def make(settings: QuerySettings, _shared: Context) -> QueryProbe:
    """Build the probe."""
    return QueryProbe(settings)


KIND: Final = Kind(
    settings=QuerySettings,
    make=make,
    cost=lambda _: Cost(connections=1),
    instance=lambda settings: shown(settings.parameters),
)
