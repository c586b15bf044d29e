"""One table for all channels: what an HTTP status means for a delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from stewardmon.errors import DeliveryError

# RFC 9110, section 15.5.9 (408), RFC 8470 (425), RFC 6585 (429): the request may be repeated.
_TEMPORARY: Final = frozenset({408, 425, 429})


def delivered(status: int) -> bool:
    """Say whether the receiver has accepted the message."""
    return 200 <= status <= 299


def refused(
    status: int, *, host: str, retry_after: str | None = None, words: str = "", now: datetime
) -> DeliveryError:
    """Return the error for a status that is not 2xx; `words` are the receiver's own, made safe."""
    said = f": {words}" if words else ""
    if 300 <= status <= 399:
        return DeliveryError(
            f"{host} answered {status}, a redirect, and redirects are not followed: "
            "configure the address that it leads to",
            temporary=False,
        )
    return DeliveryError(
        f"{host} answered {_named(status)}{said}",
        temporary=status in _TEMPORARY or status >= 500,
        retry_after=parse_retry_after(retry_after, now=now),
    )


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), None for none."""
    if value is None:
        return None
    value = value.strip()
    # Ten digits are three centuries; int() on a megabyte of digits would take minutes.
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
