"""What stands on an incident's chart beside the curve: people's answers, deploys, silences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stewardmon.domain.incident import Event, EventKind
from stewardmon.domain.labels import Labels
from stewardmon.domain.rule import AlertRule
from stewardmon.web.dossier import drawn
from stewardmon.web.recall import Span

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULE = AlertRule(name="Slow", group="g", expr="m > 5", subject="m", threshold=5.0)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (EventKind.OPENED, "opened"),
        (EventKind.ACKNOWLEDGED, "acknowledged"),
        (EventKind.MUTED, "muted"),
        (EventKind.UNMUTED, "no longer muted"),
    ],
)
def test_what_happened_has_its_line_in_the_chart(kind: EventKind, word: str) -> None:
    start = int((NOON - timedelta(minutes=5)).timestamp() * 1000)
    span = Span(start, start + 600_000)
    series = [(Labels({"job": "app"}), [(start, 1.0), (start + 600_000, 9.0)])]
    chart = drawn(RULE, series, [Event(incident="i", at=NOON, kind=kind)], span)
    (mark,) = chart.marks
    assert mark.text == f"12:00:00 {word}"
