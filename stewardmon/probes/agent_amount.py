"""Is the amount that the agent names the one that the receipts add up to?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from stewardmon.network.progress import Progress
from stewardmon.probes.agent_answer import message_of
from stewardmon.probes.jsonpath import JsonPath
from stewardmon.probes.postgres_session import session

TOLERANCE: Final = Decimal("0.01")  # PLATFORM.md section 2, row 22
_MOST: Final = 20
_MONEY: Final = re.compile(
    r"(?:[$€£]|USD|EUR|GBP)\s?(-?\d[\d,]{0,20}(?:\.\d{1,4})?)"
    r"|(-?\d[\d,]{0,20}\.\d{2})(?!\d)"
)
# Prisma keeps UTC in columns without a zone.
_SUM: Final = """
SELECT coalesce(sum(total), 0) AS total, count(*) AS receipts FROM receipts
WHERE "userId" = %(user)s::uuid AND "purchaseDate" >= %(start)s AND "purchaseDate" < %(end)s
"""


def last_month(now: datetime) -> tuple[datetime, datetime]:
    """Return the start of the last calendar month and of this one, in UTC without a zone."""
    today = now.astimezone(UTC).replace(tzinfo=None)
    month = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (month - timedelta(days=1)).replace(day=1), month


async def expected(parameters: dict[str, str], user: str, *, at: datetime) -> tuple[Decimal, int]:
    """Return what SQL says the user spent in the month before `at`, and by how many receipts.

    Raises Failure.
    """
    start, end = last_month(at)
    async with session(parameters, Progress(), read_only=True) as talk:
        row = await talk.row(_SUM, {"user": user, "start": start, "end": end})
    return Decimal(row["total"]), int(row["receipts"])


def named(told: Mapping[str, Any], path: JsonPath) -> list[Decimal]:
    """Return the amounts that an answer names: in its figures at `path`, else in its sentence."""
    figures = [_decimal(value) for _, value in path.find(told)]
    found = [one for one in figures if one is not None]
    if found:
        return found[:_MOST]
    texts = (one[1] or one[2] for one in _MONEY.finditer(message_of(told)))
    amounts = (_decimal(text.replace(",", "")) for text in texts)
    return [one for one in amounts if one is not None][:_MOST]


def complaint(amounts: list[Decimal], wanted: Decimal, receipts: int) -> str:
    """Return what is wrong with the amounts, empty where one of them is right."""
    if any(abs(one - wanted) <= TOLERANCE for one in amounts):
        return ""
    if not amounts:
        # Who has bought nothing may be told so in words.
        return "" if not receipts else f"the answer names no amount; SQL says {wanted:.2f}"
    return f"the agent says {amounts[0]:.2f}, SQL says {wanted:.2f} ({receipts} receipts)"


def off_by(amounts: list[Decimal], wanted: Decimal) -> float | None:
    """Return how far the nearest amount is from the right one, None where there is none."""
    return min((float(abs(one - wanted)) for one in amounts), default=None)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal("1e15") else None
