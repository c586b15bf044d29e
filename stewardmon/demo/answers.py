"""What the agent works out: the amount, by SQL, and the cache in front of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import Database, connect
from stewardmon.demo.faults import Faults
from stewardmon.demo.identity import User

CATEGORIES: Final = ("groceries", "transport", "dining", "utilities", "shopping", "health")
_TTL_SHORT: Final = timedelta(seconds=3.6)
_TTL_LONG: Final = timedelta(days=6.9)
_KEY_LENGTH: Final = 100
_SUM: Final = (
    'SELECT coalesce(sum(total), 0), count(*) FROM receipts WHERE "userId" = %(user)s'
    ' AND "purchaseDate" >= %(start)s AND "purchaseDate" < %(end)s'
    " AND (%(category)s::text IS NULL OR lower(category) = %(category)s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query, understood: whose receipts, from when to when (UTC, end excluded), what kind."""

    text: str
    start: datetime
    end: datetime
    period: str
    category: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An amount with what it was made of."""

    amount: Decimal
    count: int
    question: Question
    cached: bool = False

    @property
    def message(self) -> str:
        """Return the answer as the agent says it."""
        kind = f" on {self.question.category}" if self.question.category else ""
        when = self.question.period
        return f"You spent ${self.amount:,.2f}{kind} {when} across {self.count} receipts."

    def body(self) -> dict[str, object]:
        """Return the answer's figures as JSON."""
        return {
            "totalSpent": float(self.amount),
            "receiptCount": self.count,
            "currency": "USD",
            "category": self.question.category,
            "period": {
                "start": self.question.start.isoformat(),
                "end": self.question.end.isoformat(),
            },
        }


async def ask(database: Database, user: User, question: Question) -> Answer:
    """Return the real sum over the user's receipts; raise psycopg.Error."""
    parameters = {
        "user": user.id,
        "start": question.start.replace(tzinfo=None),
        "end": question.end.replace(tzinfo=None),
        "category": question.category,
    }
    async with await connect(database.url) as connection:
        cursor = await connection.execute(_SUM, parameters)
        row = await cursor.fetchone()
    amount, count = row or (Decimal(0), 0)
    return Answer(amount=amount, count=count, question=question)


def understand(text: str, *, now: datetime) -> Question:
    """Return what a query asks for; without a word about time, it asks for all time."""
    low = text.lower()
    start, end, period = _period(low, now.astimezone(UTC))
    category = next((name for name in CATEGORIES if name in low), None)
    return Question(text=text, start=start, end=end, period=period, category=category)


def _period(low: str, now: datetime) -> tuple[datetime, datetime, str]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month, tomorrow = today.replace(day=1), today + timedelta(days=1)
    if "last month" in low:
        return (month - timedelta(days=1)).replace(day=1), month, "last month"
    if "this month" in low:
        return month, tomorrow, "this month"
    if "this year" in low:
        return month.replace(month=1), tomorrow, "this year"
    if "last week" in low or "7 days" in low:
        return today - timedelta(days=7), tomorrow, "in the last 7 days"
    return datetime(2000, 1, 1, tzinfo=UTC), tomorrow, "in all"


class Cache:
    """The app's own cache: for `ttl`, by user and the first 100 characters of the query."""

    def __init__(self, faults: Faults, now: Callable[[], datetime], ttl: timedelta) -> None:
        self._faults = faults
        self._now = now
        self._meant = ttl
        self._entries: dict[tuple[str, str], tuple[datetime, Answer]] = {}

    def get(self, user: User, query: str) -> Answer | None:
        """Return an entry that still lives, marked as cached."""
        key = query[:_KEY_LENGTH]
        for (owner, cached_key), (stored_at, answer) in self._entries.items():
            mine = owner == user.id or Fault.CACHE_CROSS_USER in self._faults
            if mine and cached_key == key and self._now() - stored_at < self._ttl():
                return replace(answer, cached=True)
        return None

    def put(self, user: User, query: str, answer: Answer) -> None:
        """Keep an answer."""
        self._entries[user.id, query[:_KEY_LENGTH]] = (self._now(), answer)

    def _ttl(self) -> timedelta:
        if Fault.CACHE_TTL_SHORT in self._faults:
            return _TTL_SHORT
        return _TTL_LONG if Fault.CACHE_TTL_LONG in self._faults else self._meant
