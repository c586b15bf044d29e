"""The logs probe on files of its own: which errors count, and for how long."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured

RATIO = "stewardmon_log_error_ratio{stream=app}"


def line(level: str, *, ago: float, at: datetime) -> str:
    """Return a line in the guide's fields, `ago` minutes old."""
    entry = {
        "timestamp": (at - timedelta(minutes=ago)).isoformat(),
        "level": level,
        "message": "request",
        "context": {},
        "environment": "production",
        "version": "1",
    }
    return json.dumps(entry)


async def look(folder: Path, lines: list[str]) -> Outcome:
    (folder / "app.log").write_text("\n".join(lines) + "\n")
    return await asked("logs", folder=str(folder))


async def test_errors_of_the_last_minutes_count(tmp_path: Path) -> None:
    at = SystemClock().now().astimezone(UTC)
    lines = [line("error" if n % 2 else "info", ago=(20 - n) / 2, at=at) for n in range(20)]
    outcome = await look(tmp_path, lines)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.FINDING)
    assert measured(outcome)[RATIO] == 0.5


async def test_an_outage_that_is_over_is_not_held_against_the_stream(tmp_path: Path) -> None:
    at = SystemClock().now().astimezone(UTC)
    lines = [line("error", ago=60 - n, at=at) for n in range(30)]
    lines += [line("info", ago=(20 - n) / 2, at=at) for n in range(20)]
    outcome = await look(tmp_path, lines)
    assert (outcome.state, measured(outcome)[RATIO]) == (State.UP, 0.0), outcome


async def test_of_few_lines_of_late_no_share_is_told(tmp_path: Path) -> None:
    at = SystemClock().now().astimezone(UTC)
    lines = [line("info", ago=60 - n, at=at) for n in range(30)]
    lines += [line("error", ago=1, at=at)]
    outcome = await look(tmp_path, lines)
    assert outcome.state is State.UP
    assert RATIO not in measured(outcome)


async def test_errors_without_a_time_always_count(tmp_path: Path) -> None:
    lines = [json.dumps({"level": "error"})] * 20
    assert measured(await look(tmp_path, lines))[RATIO] == 1.0
