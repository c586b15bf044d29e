"""Which known holes do the packages of a project's folder have? Asks npm, and reads the lock."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from stewardmon.domain.audit import Hole, read_audit, read_lock
from stewardmon.errors import UsageError


def holes_of(folder: Path, *, timeout: float) -> tuple[tuple[Hole, ...], str]:
    """Return the holes that are known, and why npm could not be asked: empty where it was.

    The lock file alone tells of the framework's own holes. Raises UsageError without a lock file.
    """
    lock = folder / "package-lock.json"
    found = read_lock(parsed(text_of(lock), f"{lock.name} is no JSON"))
    try:
        report = parsed(_audit(folder, timeout), "npm audit wrote no JSON")
        return (*found, *read_audit(report)), ""
    except UsageError as error:
        return found, str(error)


def _audit(folder: Path, timeout: float) -> str:
    program = shutil.which("npm")
    if program is None:
        raise UsageError("npm is not installed here: give a report written by npm audit --json")
    try:
        done = subprocess.run(  # noqa: S603 - our own words; npm's exit code says what it found
            [program, "audit", "--json", "--fetch-retries=0"],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"npm audit did not end within {timeout:g} s") from None
    except OSError as error:
        raise UsageError(f"npm cannot be run: {error.strerror}") from None
    return done.stdout.decode("utf-8", "replace")


def text_of(path: Path) -> str:
    """Return a file's text. Raises UsageError where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def parsed(text: str, wrong: str) -> Any:
    """Return the JSON value of a text. Raises UsageError with the sentence that says it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(wrong) from None
