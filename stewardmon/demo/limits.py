"""The app's rate limits: so many requests in a window, by address and by user."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.faults import Faults

PER_ADDRESS_WINDOW: Final = timedelta(minutes=15)
PER_USER_WINDOW: Final = timedelta(minutes=1)


@dataclass(slots=True, kw_only=True)
class Limits:
    """How many are allowed; None switches a limit, and its headers, off.

    The guide's are 100 requests per address in 15 minutes, and 10 questions per user and minute.
    The one by address is off at first: everything on loopback shares an address.
    """

    per_address: int | None = None
    per_user: int | None = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one request found: whether it may pass, and what the headers say about the limit."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    window: int

    def headers(self, *, wrong: bool = False) -> dict[str, str]:
        """Return the limit in the dialects of draft-6 and of X-RateLimit; `wrong` contradicts."""
        remaining = self.limit * 50 - 1 if wrong else self.remaining
        reset = -self.reset if wrong else self.reset
        headers = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(reset),
            "ratelimit-policy": f"{self.limit};w={self.window}",
            "x-ratelimit-limit": str(self.limit * 50 if wrong else self.limit),
            "x-ratelimit-remaining": str(remaining),
        }
        if not self.allowed and not wrong:
            headers["retry-after"] = str(self.reset)
        return headers


class Window:
    """Counts by key in a sliding window."""

    def __init__(self, span: timedelta, now: Callable[[], datetime], faults: Faults) -> None:
        self._span = span
        self._now = now
        self._faults = faults
        self._seen: dict[str, deque[datetime]] = {}

    def take(self, key: str, limit: int) -> Allowance:
        """Count one request and tell whether it is allowed; a refused one is not counted.

        Under the mismatch fault, half of what the headers promise is let through.
        """
        at = self._now()
        seen = self._seen.setdefault(key, deque())
        while seen and seen[0] <= at - self._span:
            seen.popleft()
        enforced = limit // 2 if Fault.RATE_LIMIT_MISMATCH in self._faults else limit
        allowed = len(seen) < enforced
        if allowed:
            seen.append(at)
        oldest = seen[0] if seen else at
        return Allowance(
            allowed=allowed,
            limit=limit,
            remaining=max(0, limit - len(seen)),
            reset=max(1, round((oldest + self._span - at).total_seconds())),
            window=int(self._span.total_seconds()),
        )
