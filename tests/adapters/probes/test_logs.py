"""The logs probe on files of its own: which errors count, and for how long."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured
from tests.support.unprivileged import open_folder, unprivileged

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


async def test_a_stream_that_has_stopped_is_stale(tmp_path: Path) -> None:
    at = SystemClock().now()
    (tmp_path / "app.log").write_text(line("info", ago=120, at=at) + "\n")
    outcome = await asked("logs", folder=str(tmp_path), streams=["app"])
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.STALE)
    assert "2 h" in outcome.detail
    outcome = await asked("logs", folder=str(tmp_path), streams=["app", "error"])
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.MISSING)


@pytest.mark.parametrize(
    "content",
    [
        b"plain words\n" * 50,
        b'{"half": ' * 50,
        b"\xff\xfe\x00\x01\n" * 50,
        b"[1, 2]\n5\nnull\n" * 20,
        b"x" * 1_000_000,
        b'{"timestamp": {}, "level": [], "message": 5, "context": 1, "environment": 2}\n' * 50,
    ],
    ids=["words", "cut", "bytes", "no objects", "one line without an end", "wrong types"],
)
async def test_lines_that_are_no_such_json_are_a_finding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "app.log").write_bytes(content)
    outcome = await asked("logs", folder=str(tmp_path), min_lines=1)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.BODY), outcome
    assert "have the fields" in outcome.detail


async def test_what_may_not_be_read_is_said_and_what_is_no_file_passed_over() -> None:
    with open_folder() as folder:
        os.mkfifo(folder / "pipe.log")
        (folder / "app.log").write_text("{}\n")
        (folder / "app.log").chmod(0)
        with unprivileged():
            outcome = await asked("logs", folder=str(folder), timeout=2)
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.PERMISSION), outcome
