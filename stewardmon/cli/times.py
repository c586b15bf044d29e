"""Times as arguments: RFC 3339, or a local date and time with its zone left out for UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from stewardmon.errors import UsageError


def moment(text: str | None) -> datetime:
    """Return the instant that is meant, now where none is. Raises UsageError for no time."""
    if not text or text == "now":
        from stewardmon.clock import SystemClock

        return SystemClock().now()
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:40]!r} is not a time: write one such as 2026-12-24T09:00:00Z"
        ) from None
