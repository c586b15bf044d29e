"""A report as a value: sections of rows, each a figure with the one of the span before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from stewardmon.domain.display import format_value
from stewardmon.errors import StewardmonError

NONE: Final = "–"


class ReportKind(StrEnum):
    """How much time a report is about."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def length(self) -> timedelta:
        """Return the span: a month is 30 days, so that two months can be compared."""
        return {"daily": timedelta(days=1), "weekly": timedelta(days=7)}.get(
            self.value, timedelta(days=30)
        )

    @property
    def before(self) -> str:
        """Return what the span before it is called."""
        return {"daily": "the day before", "weekly": "the week before"}.get(
            self.value, "the 30 days before"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a figure with its unit and the one before, or words.

    `value` None means that nothing is known; `note` says why, or what to mind.
    """

    name: str
    value: float | None = None
    before: float | None = None
    unit: str = ""
    note: str = ""
    words: str = ""

    @property
    def shown(self) -> str:
        """Return the figure as people read it."""
        return self.words or format_value(self.value, self.unit)

    @property
    def change(self) -> str:
        """Return by how much the figure moved, in per cent; a share's in points."""
        if self.value is None or self.before is None or not isfinite(self.value - self.before):
            return ""
        moved = self.value - self.before
        if self.unit == "ratio":
            return f"{moved * 100:+.2f} points"
        if not self.before:
            return "" if not moved else f"{moved:+,.4g}"
        return f"{moved / abs(self.before) * 100:+.1f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows about one matter."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a span was like; `start` ≤ t < `end`, `zone` is where its hours were set."""

    kind: ReportKind
    start: datetime
    end: datetime
    zone: str
    sections: tuple[Section, ...]

    @property
    def id(self) -> str:
        """Return the name under which it is kept: one a kind and end."""
        return f"{self.kind.value}-{self.end:%Y%m%dT%H%M}"

    @property
    def title(self) -> str:
        """Return what it is called, with the local days that it is about."""
        zone = ZoneInfo(self.zone)
        first, last = (at.astimezone(zone) for at in (self.start, self.end))
        return (
            f"{self.kind.value.capitalize()} report, {first:%d %b %H:%M} to {last:%d %b %Y %H:%M}"
        )


class ReportError(StewardmonError):
    """A report that cannot be made or read, as one sentence."""


def as_text(report: Report) -> str:
    """Return the report as plain text in columns."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.title} ({report.zone}); changes against {report.kind.before}"
    for section in report.sections:
        yield ""
        yield section.title
        wide = max((len(row.name) for row in section.rows), default=0)
        for row in section.rows:
            change = f" ({row.change})" if row.change else ""
            note = f"  [{row.note}]" if row.note else ""
            yield f"  {row.name:<{wide}}  {row.shown}{change}{note}"


def as_record(report: Report) -> dict[str, Any]:
    """Return the report as plain JSON values; an infinite time is the text `Infinity`."""
    return {
        "id": report.id,
        "kind": report.kind.value,
        "title": report.title,
        "start": report.start.isoformat(),
        "end": report.end.isoformat(),
        "zone": report.zone,
        "sections": [
            {
                "title": section.title,
                "rows": [
                    {
                        "name": row.name,
                        "value": _plain(row.value),
                        "before": _plain(row.before),
                        "unit": row.unit,
                        "shown": row.shown,
                        "change": row.change,
                        "note": row.note,
                        "words": row.words,
                    }
                    for row in section.rows
                ],
            }
            for section in report.sections
        ],
    }


def from_record(record: Mapping[str, Any]) -> Report:
    """Return the report that was kept. Raises ReportError for anything else."""
    try:
        return Report(
            kind=ReportKind(record["kind"]),
            start=datetime.fromisoformat(record["start"]),
            end=datetime.fromisoformat(record["end"]),
            zone=str(record["zone"]),
            sections=tuple(
                Section(
                    title=str(section["title"]),
                    rows=tuple(
                        Row(
                            name=str(row["name"]),
                            value=_number(row["value"]),
                            before=_number(row["before"]),
                            unit=str(row["unit"]),
                            note=str(row["note"]),
                            words=str(row["words"]),
                        )
                        for row in section["rows"]
                    ),
                )
                for section in record["sections"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"the state holds a report that cannot be read: {error}") from None


def _plain(value: float | None) -> float | str | None:
    if value is None or isfinite(value):
        return value
    return "Infinity" if value > 0 else "-Infinity"


def _number(value: object) -> float | None:
    return None if value is None else float(cast("str | float", value))
