"""The openai_costs probe: what a day, a month and a usual day cost; budgets; answers that lie."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.ports import Context
from stewardmon.probes.openai_costs import CostsSettings, Spending
from tests.support.probing import asked_in, measured
from tests.support.servers import Behaviour, answer, hangs, sends, sends_in_turn, serving

KEY = "sk-admin-0123456789abcdefghijkl"
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


class StoppedClock(SystemClock):
    """It is always noon."""

    def now(self) -> datetime:
        return NOON


async def ask_of(behaviour: Behaviour, *, timeout: float = 5.0, **settings: Any) -> Outcome:
    async with serving(behaviour) as server:
        context = Context(clock=StoppedClock())
        url = f"{server.url}/v1"
        return await asked_in(
            context, "openai_costs", timeout=timeout, url=url, key=KEY, **settings
        )


def bucket(day: date, *values: object, currency: str = "usd") -> dict[str, Any]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    results = [{"amount": {"value": value, "currency": currency}} for value in values]
    return {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": results}


def ago(days: int) -> date:
    return NOON.date() - timedelta(days=days)


def page(*buckets: Any, next_page: str | None = None) -> bytes:
    document = {"data": buckets, "has_more": next_page is not None, "next_page": next_page}
    return answer(body=orjson.dumps(document))


USUAL = [bucket(ago(days), 2.0) for days in range(10, 0, -1)]


async def test_a_day_a_month_and_a_usual_day() -> None:
    outcome = await ask_of(sends(page(*USUAL, bucket(ago(0), 1.5, "0.25"))))
    assert outcome.success
    assert outcome.detail == "$1.75 today, $19.75 this month, $2.00 on a usual day"
    found = measured(outcome)
    assert found["stewardmon_openai_costs_readable"] == 1
    assert found["stewardmon_openai_cost_usd_today"] == 1.75
    assert found["stewardmon_openai_cost_usd_month"] == 19.75
    assert found["stewardmon_openai_cost_usd_median"] == 2
    assert found["stewardmon_openai_cost_usd_day{days_ago=1}"] == 2
    assert not [name for name in found if "budget" in name]


async def test_budgets_are_shares_of_the_day_and_of_the_month() -> None:
    buckets = sends(page(*USUAL, bucket(ago(0), 4)))
    found = measured(await ask_of(buckets, daily_budget_usd=5, monthly_budget_usd=20))
    assert found["stewardmon_openai_budget_used_ratio{period=day}"] == 0.8
    assert found["stewardmon_openai_budget_used_ratio{period=month}"] == 1.1


async def test_pages_are_followed_with_what_was_asked_first() -> None:
    turns = sends_in_turn(page(*USUAL, next_page="p&2"), page(bucket(ago(0), 3)))
    async with serving(turns) as server:
        context = Context(clock=StoppedClock())
        outcome = await asked_in(
            context, "openai_costs", timeout=5, url=f"{server.url}/v1", key=KEY
        )
    start = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    query = f"/v1/organization/costs?start_time={start}&bucket_width=1d&limit=31"
    assert measured(outcome)["stewardmon_openai_cost_usd_today"] == 3
    assert [one.split(" HTTP")[0] for one in server.requests] == [
        f"GET {query}",
        f"GET {query}&page=p%262",
    ]


async def test_pages_without_end_are_given_up() -> None:
    outcome = await ask_of(sends(page(bucket(ago(0), 1), next_page="again")))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TOO_LARGE)


async def test_what_is_asked_for_reaches_seven_days_back_at_a_months_start() -> None:
    early = Spending({date(2026, 10, 31): 3.0, date(2026, 11, 1): 1.0}, date(2026, 11, 1))
    assert early.month == 1
    assert early.before[0] == 3
    assert early.habit == 0


@pytest.mark.parametrize(
    ("reply", "reason", "word"),
    [
        (answer(body=b"<html>"), Reason.BODY, "not JSON"),
        (answer(body=b"[]"), Reason.BODY, "no list under `data`"),
        (answer(body=b'{"data": [1]}'), Reason.BODY, "no list under `results`"),
        (page({"results": []}), Reason.BODY, "no `start_time`"),
        (page({"start_time": 10**15, "results": []}), Reason.BODY, "no `start_time`"),
        (page({"start_time": 0, "results": [{}]}), Reason.BODY, "no `amount`"),
        (page(bucket(ago(0), 1, currency="eur")), Reason.BODY, "in eur, not in usd"),
        (page(bucket(ago(0), None)), Reason.BODY, "no number"),
        (page(bucket(ago(0), "1e999")), Reason.BODY, "no number"),
        (answer(body=b" " * 5_000_000), Reason.TOO_LARGE, "over 4 MiB"),
    ],
)
async def test_costs_that_cannot_be_read(reply: bytes, reason: Reason, word: str) -> None:
    outcome = await ask_of(sends(reply))
    assert (outcome.state, outcome.reason) == (State.DOWN, reason)
    assert word in outcome.detail
    assert measured(outcome)["stewardmon_openai_costs_readable"] == 0


async def test_a_key_that_is_no_admin_key() -> None:
    error = {"message": f"{KEY} may not", "type": "x", "code": "missing_scope"}
    outcome = await ask_of(sends(answer(403, orjson.dumps({"error": error}))))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.AUTH)
    assert KEY not in repr(outcome)


async def test_a_hang_is_unreadable_too() -> None:
    outcome = await ask_of(hangs, timeout=0.2)
    assert outcome.reason is Reason.TIMEOUT
    assert measured(outcome)["stewardmon_openai_costs_readable"] == 0


@pytest.mark.parametrize("budget", [0, -1, "inf", "nan", "much"])
@pytest.mark.parametrize("key", ["daily_budget_usd", "monthly_budget_usd"])
def test_a_budget_is_an_amount(key: str, budget: object) -> None:
    with pytest.raises(ValidationError):
        CostsSettings.model_validate({"key": KEY, key: budget})
