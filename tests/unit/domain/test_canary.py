"""The canary's decision: certain harm aborts, doubt holds, only evidence promotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.canary import STEPS, Decision, Group, Limits, decide, group_of, likelihood
from stewardmon.errors import UsageError

LIMITS = Limits()
GOOD = Group(requests=1000, errors=2, p95=0.8)
PROMOTE, HOLD, ABORT = Decision.PROMOTE, Decision.HOLD, Decision.ABORT


def group(requests: int, errors: int = 0, p95: float | None = 0.8) -> Group:
    return Group(requests=requests, errors=errors, p95=p95)


@pytest.mark.parametrize(
    ("baseline", "canary", "decision", "says"),
    [
        (GOOD, group(200, 0), PROMOTE, "0.0% of 200 requests failed"),
        (GOOD, group(200, 40), ABORT, "20.0% of the canary's requests failed"),
        (GOOD, group(200, 0, 2.0), ABORT, "the baseline's 0.80 s"),
        (GOOD, group(200, 0, 6.0), ABORT, "end of patience"),
        (GOOD, group(200, 0, float("inf")), ABORT, "end of patience"),
        # Three times nearly nothing is nothing that anybody notices.
        (group(500, 0, 0.01), group(200, 0, 0.03), PROMOTE, "0.0%"),
        # Low traffic holds, however good it looks; too little latency data is none.
        (GOOD, group(20, 0), HOLD, "the canary has 20 requests"),
        (group(20, 0), group(200, 0), HOLD, "the baseline has 20 requests"),
        (GOOD, group(20, 0, 9.0), HOLD, "the canary has 20 requests"),
        # A group without data never passes.
        (GOOD, group(0, 0, None), HOLD, "the canary has 0 requests"),
        (group(0, 0, None), group(500, 0), HOLD, "the baseline has 0 requests"),
        (group(0, 0, None), group(0, 0, None), HOLD, "0 requests"),
        (GOOD, group(200, 0, None), HOLD, "no latency of the canary"),
        # One error of sixty is no evidence; few requests that nearly all fail are.
        (GOOD, group(60, 1), HOLD, "by chance"),
        (GOOD, group(12, 9), ABORT, "75.0% of the canary's"),
        # Where both fail, the canary is not to blame, and is not promoted either.
        (group(1000, 200), group(500, 100), HOLD, "20.0% of the baseline's"),
    ],
)
def test_the_decision(baseline: Group, canary: Group, decision: Decision, says: str) -> None:
    verdict = decide(baseline, canary, LIMITS, step=5)
    assert verdict.decision is decision, verdict
    assert says in "; ".join(verdict.reasons)


def test_a_promotion_names_the_next_share() -> None:
    steps = [decide(GOOD, group(200), LIMITS, step=step).next_step for step in STEPS]
    assert steps == [25, 50, 100, None]


def test_chance_is_what_fisher_says() -> None:
    # Fisher's own tea: all four right of four and four, 1 in 70; three or more, 17 in 70.
    assert likelihood(group(4, 0), group(4, 4)) == pytest.approx(1 / 70)
    assert likelihood(group(4, 1), group(4, 3)) == pytest.approx(17 / 70)
    assert likelihood(group(4, 0), group(4, 0)) == 1.0


counts = st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(one=counts, other=counts, p95=st.floats(0, 10), step=st.sampled_from(STEPS))
def test_what_is_promoted_has_data_and_is_good(
    one: tuple[int, int], other: tuple[int, int], p95: float, step: int
) -> None:
    canary = group(*other, p95)
    verdict = decide(group(*one), canary, LIMITS, step=step)
    assert 0 <= likelihood(group(*one), canary) <= 1
    if verdict.decision is PROMOTE:
        assert min(one[0], other[0]) >= LIMITS.samples
        assert canary.error_rate <= LIMITS.errors
        assert p95 <= LIMITS.slow


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"requests": 3},
        {"requests": 3, "errors": 4},
        {"requests": 3, "errors": -1},
        {"requests": 3.0, "errors": 1},
        {"requests": True, "errors": 0},
        {"requests": 3, "errors": 0, "p95": "fast"},
        {"requests": 3, "errors": 0, "p95": -1},
        {"requests": 3, "errors": 0, "p95": float("nan")},
    ],
)
def test_figures_that_cannot_be_are_wrong_use(value: object) -> None:
    with pytest.raises(UsageError, match="canary"):
        group_of("canary", value)
