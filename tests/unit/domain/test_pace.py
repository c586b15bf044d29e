"""Intervals that keep to a budget, and waits after refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.pace import LONGEST_WAIT, WIDEST, Spender, wait, widened

SPAN = timedelta(minutes=15)


def spender(name: str, seconds: float, *, cost: int = 1, flexible: bool = True) -> Spender:
    return Spender(name=name, cost=cost, interval=timedelta(seconds=seconds), flexible=flexible)


def test_who_spends_little_is_left_alone() -> None:
    assert widened([spender("app", 30)], most=50, span=SPAN) == {}


def test_an_interval_that_nobody_fixed_gives_way() -> None:
    assert widened([spender("app", 15)], most=50, span=SPAN) == {"app": timedelta(seconds=18)}


def test_it_gives_way_to_those_that_are_fixed() -> None:
    fixed = spender("agent", 60, cost=2, flexible=False)  # 30 of the 50
    assert widened([spender("app", 15), fixed], most=50, span=SPAN) == {
        "app": timedelta(seconds=45)
    }


@pytest.mark.parametrize(
    "spenders",
    [
        [spender("app", 15, flexible=False)],
        [spender("app", 15), spender("other", 15, flexible=False)],
        [spender("app", 1, cost=20)],
        [spender("page", 15, cost=0), spender("app", 15, flexible=False)],
    ],
)
def test_who_cannot_give_way_is_told_so(spenders: list[Spender]) -> None:
    assert widened(spenders, most=50, span=SPAN) is None


@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(0, 20), st.booleans()), min_size=1, max_size=6
    )
)
def test_what_is_widened_keeps_to_the_budget(drawn: list[tuple[int, int, bool]]) -> None:
    spenders = [
        spender(str(n), seconds, cost=cost, flexible=flexible)
        for n, (seconds, cost, flexible) in enumerate(drawn)
    ]
    found = widened(spenders, most=50, span=SPAN)
    if found is None:
        return
    spent = sum(one.cost * (SPAN / found.get(one.name, one.interval)) for one in spenders)
    assert spent <= 50 + 1e-6
    assert all(found[one.name] >= one.interval for one in spenders if one.name in found)
    assert all(one.flexible for one in spenders if one.name in found)


@pytest.mark.parametrize(
    ("refusals", "asked_for", "seconds"),
    [
        (1, None, 30),
        (2, None, 60),
        (3, None, 120),
        (9, None, WIDEST.total_seconds()),
        (1, 20.0, 20),
        (5, 0.0, 0),
        (1, -5.0, 0),
        (1, 1e12, LONGEST_WAIT.total_seconds()),
    ],
)
def test_a_refusal_is_answered_by_waiting(
    refusals: int, asked_for: float | None, seconds: float
) -> None:
    told = wait(interval=timedelta(seconds=15), refusals=refusals, asked_for=asked_for)
    assert told.total_seconds() == seconds


def test_a_probe_that_asks_seldom_is_not_hurried() -> None:
    hour = timedelta(hours=1)
    assert wait(interval=hour, refusals=3, asked_for=None) == hour
