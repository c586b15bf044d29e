"""How often chance alone would wake somebody: less than once in a hundred months for each rule.

Asks are independent here, a share p of them bad (2 % slow, 0.5 % failed). A rule begins to be
pending with a bad ask: nothing else lets its measure rise. It pages if it still holds one hold
later, and then its window, no longer than the hold, has none of the same asks in it. So of N asks
a day

    pages ≤ N · p · P(Bin(n - 1, p) ≥ k - 1) · P(Bin(n', p) ≥ k')

where k of n asks are the fewest bad ones with which the rule can begin to hold, k' of the n' asks
of the hold the fewest with which it can still do so.
"""

from __future__ import annotations

import re
from math import comb, floor, inf
from pathlib import Path

import pytest
import yaml

RULES = Path(__file__).parents[2] / "rules/alerts.yml"
ALSO = {one["name"]: one.get("also", "") for one in yaml.safe_load(RULES.read_text())["alerts"]}
FAILED, SLOW = 0.005, 0.02
QUICK, LATE = 0.4, 6.0  # seconds; the noise's own (tests/matrix/test_noise.py)
MONTH = 30
A_DAY, AN_HOUR = 86_400, 3600
INTERVALS = (15, 20, 30, 45, 60)  # seconds between asks


def at_least(k: int, n: int, p: float) -> float:
    """P(Bin(n, p) ≥ k)."""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(max(k, 0), n + 1))


def a_month(p: float, interval: float, begin: tuple[int, int], still: tuple[int, int]) -> float:
    """The expected pages a month, at most: `begin` is k of n, `still` k' of n'."""
    (k, n), (later, after) = begin, still
    a_day = A_DAY / interval * p * at_least(k - 1, n - 1, p) * at_least(later, after, p)
    return MONTH * a_day


def fewest(quantile: float, n: int, threshold: float, late: float = LATE) -> int:
    """How many slow of n answers bring their quantile (Prometheus' own) over the threshold."""
    for slow in range(n + 1):
        values = [QUICK] * (n - slow) + [late] * slow
        rank = quantile * (n - 1)
        low = floor(rank)
        high = min(low + 1, n - 1)
        if values[low] * (1 - rank + low) + values[high] * (rank - low) > threshold:
            return slow
    return n + 1


@pytest.mark.parametrize("interval", INTERVALS)
def test_failures_by_chance_are_no_error_rate(interval: int) -> None:
    said = re.fullmatch(
        r"failed_asks >= (\d+) or error_rate > 50% or "
        r"\(error_rate\[1h\] > 5% and asks\[1h\] > 100\)",
        ALSO["High Error Rate"],
    )
    assert said is not None, "the odds below are of another rule"
    window, hour = 300 // interval, AN_HOUR // interval
    most = min(int(said[1]), window // 2 + 1)
    pages = a_month(FAILED, interval, (most, window), (most, window))
    if hour > 100:
        pages += a_month(FAILED, interval, (hour // 20 + 1, hour), (1, window))
    assert pages < 0.01


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("rule", "word", "threshold", "written", "minutes"),
    [
        ("Slow Response Time", "response_time", 5, "5s", 2),
        ("Response Time Above Benchmark", "response_time", 2, "2s", 5),
        ("Database Queries Slow", "db_query_time", 0.5, "500ms", 5),
    ],
)
def test_slow_answers_by_chance_are_no_slowness(
    rule: str, word: str, threshold: float, written: str, minutes: int, interval: int
) -> None:
    failed = "failed_asks >= 3 or " if rule == "Slow Response Time" else ""
    assert ALSO[rule] == (
        f"p50({word}) > {written} or {failed}"
        f"(p90({word}[1h]) > {written} and count({word}[1h]) > 100)"
    ), "the odds below are of another rule"
    window, hour = minutes * 60 // interval, AN_HOUR // interval
    half = fewest(0.5, window, threshold)
    pages = a_month(SLOW, interval, (half, window), (half, window))
    if hour > 100:
        tenth = fewest(0.9, hour, threshold)
        pages += a_month(SLOW, interval, (tenth, hour), (fewest(0.95, window, threshold), window))
    if failed:
        pages += a_month(FAILED, interval, (3, window), (3, window))
    assert pages < 0.01


@pytest.mark.parametrize(
    ("rule", "word", "written", "hold"),
    [
        ("AI Answers Slow", "ai_response_time", "5s", 1),
        ("AI First Token Slow", "ai_first_token_time", "2s", 2),
    ],
)
def test_slow_canaries_by_chance_are_no_slowness(
    rule: str, word: str, written: str, hold: int
) -> None:
    assert ALSO[rule] == f"min({word}[15m]) > {written}", "the odds below are of another rule"
    # Every 5 minutes: three in the window, and each ask of the hold must be slow, too.
    assert a_month(SLOW, 300, (3, 3), (hold, hold)) < 0.01


def test_the_guides_bare_conditions_would_page_every_few_days() -> None:
    assert a_month(FAILED, 15, (1, 20), (1, 20)) > 30
    slow = fewest(0.95, 20, 2)
    assert a_month(SLOW, 15, (slow, 20), (slow, 20)) > 3


def test_an_answer_that_never_comes_weighs_more_than_a_slow_one() -> None:
    assert fewest(0.5, 8, 5, late=inf) == 4 < fewest(0.5, 8, 5) == 5
