"""The openai_costs probe: what the account has spent, by day, beside its budgets and its habit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.exchange import exchange
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.http import decoded
from stewardmon.probes.openai_api import BODY_LIMIT, OpenAiApi, failed, refusal
from stewardmon.settings import Field

# GET /v1/organization/costs (platform.openai.com/docs/api-reference/usage/costs).
_PATH: Final = "/organization/costs"
_PAGE_DAYS: Final = 31
_MOST_PAGES: Final = 5  # 31 days of a month and seven before it are two
_HABIT_DAYS: Final = 7
_READABLE: Final = "stewardmon_openai_costs_readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsSettings(OpenAiApi):
    """`key` must be an admin key; the budgets are US dollars a day and a calendar month in UTC.

    The API brings a day's spending up to date every few minutes: ask every 4 minutes, which is
    still often enough for rules that look at the newest sample.
    """

    daily_budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    monthly_budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars by day in UTC; days that are not listed cost nothing."""

    by_day: Mapping[date, float]
    today: date

    @property
    def so_far(self) -> float:
        """Return what today has cost up to now."""
        return self.by_day.get(self.today, 0.0)

    @property
    def month(self) -> float:
        """Return what the days of this month have cost, today included."""
        first = self.today.replace(day=1)
        return math.fsum(cost for day, cost in self.by_day.items() if first <= day <= self.today)

    @property
    def before(self) -> tuple[float, ...]:
        """Return the costs of the seven days before today, yesterday first."""
        days = (self.today - timedelta(days=ago) for ago in range(1, _HABIT_DAYS + 1))
        return tuple(self.by_day.get(day, 0.0) for day in days)

    @property
    def habit(self) -> float:
        """Return the median of the seven days before today: one odd day does not move it."""
        return median(self.before)


class CostsProbe:
    """Asks one account what it has spent."""

    def __init__(self, settings: CostsSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._user_agent = user_agent

    async def ask(self) -> Outcome:
        """Ask once. Spending much is no failure of the probe: rules judge what it measured."""
        unread = Measurement(_READABLE, 0.0)
        progress = self.progress = Progress(unread)
        today = self._clock.now().astimezone(UTC).date()
        try:
            spending = Spending(await self._read(today, progress), today)
        except Failure as failure:
            return failed(failure, progress)
        return Outcome(
            state=State.UP,
            detail=f"${spending.so_far:.2f} today, ${spending.month:.2f} this month, "
            f"${spending.habit:.2f} on a usual day",
            phases=progress.phases,
            measurements=(*progress.timed(), *_measured(spending, self.settings)),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _read(self, today: date, progress: Progress) -> Mapping[date, float]:
        """Return the costs by day, page by page, from the first day that anything needs."""
        first = min(today.replace(day=1), today - timedelta(days=_HABIT_DAYS))
        start = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
        asked = {"start_time": start, "bucket_width": "1d", "limit": _PAGE_DAYS}
        found: dict[date, float] = {}
        page: str | None = None
        for _ in range(_MOST_PAGES):
            query = urlencode({**asked, "page": page} if page else asked)
            document = await self._page(query, progress)
            found.update(_days(document))
            page = document.get("next_page") if document.get("has_more") else None
            if page is None:
                return found
        raise Failure(Reason.TOO_LARGE, f"the costs go on after {_MOST_PAGES} pages")

    async def _page(self, query: str, progress: Progress) -> Mapping[str, Any]:
        request = self.settings.request(f"{_PATH}?{query}", user_agent=self._user_agent)
        reply = await exchange(request, progress, limit=BODY_LIMIT)
        progress.leave()
        body = decoded(reply, limit=BODY_LIMIT)
        if reply.status != 200:
            raise refusal(reply.status, reply.headers, body)
        if reply.too_large:
            raise Failure(Reason.TOO_LARGE, f"the costs are over {BODY_LIMIT >> 20} MiB")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Failure(Reason.BODY, "the costs are not JSON") from None
        if not isinstance(document, dict) or not isinstance(document.get("data"), list):
            raise Failure(Reason.BODY, "the costs have no list under `data`")
        return document


def _days(document: Mapping[str, Any]) -> Iterator[tuple[date, float]]:
    for bucket in document["data"]:
        start = bucket.get("start_time") if isinstance(bucket, dict) else None
        results = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(results, list):
            raise Failure(Reason.BODY, "a day of the costs has no list under `results`")
        yield _day(start), math.fsum(_amount(result) for result in results)


def _day(start: object) -> date:
    # The last second of the year 9999 is the last that a date can hold.
    if not isinstance(start, int) or not 0 <= start <= 253402300799:
        raise Failure(Reason.BODY, "a day of the costs has no `start_time`")
    return datetime.fromtimestamp(start, UTC).date()


def _amount(result: object) -> float:
    """Return one amount in US dollars; the API writes it as a number or as decimal text."""
    amount = result.get("amount") if isinstance(result, dict) else None
    if not isinstance(amount, dict):
        raise Failure(Reason.BODY, "a cost has no `amount`")
    currency = amount.get("currency")
    if not isinstance(currency, str) or currency.lower() != "usd":
        raise Failure(Reason.BODY, f"a cost is in {excerpt(str(currency), 20)}, not in usd")
    try:
        value = float(amount.get("value"))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise Failure(Reason.BODY, "a cost's `value` is no number")
    return value


def _measured(spending: Spending, settings: CostsSettings) -> Iterator[Measurement]:
    yield Measurement(_READABLE, 1.0)
    yield Measurement("stewardmon_openai_cost_usd_today", spending.so_far)
    yield Measurement("stewardmon_openai_cost_usd_month", spending.month)
    yield Measurement("stewardmon_openai_cost_usd_median", spending.habit)
    for ago, cost in enumerate(spending.before, start=1):
        yield Measurement("stewardmon_openai_cost_usd_day", cost, {"days_ago": str(ago)})
    budgets = {
        "day": (spending.so_far, settings.daily_budget_usd),
        "month": (spending.month, settings.monthly_budget_usd),
    }
    for period, (spent, budget) in budgets.items():
        if budget is not None:
            label = {"period": period}
            yield Measurement("stewardmon_openai_budget_used_ratio", spent / budget, label)


def make(settings: CostsSettings, shared: Context) -> CostsProbe:
    """Build the probe."""
    return CostsProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=CostsSettings,
    make=make,
    cost=lambda _: Cost(requests=2),
    instance=lambda settings: settings.endpoint().shown,
)
