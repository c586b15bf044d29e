"""Promote, hold or abort a canary: its error rate and latency against the baseline's.

A group without data never passes, too few samples hold, and a difference that chance explains
aborts nothing: error rates are compared by Fisher's exact test, one-sided (R. A. Fisher,
Statistical Methods for Research Workers, 1934, section 21.02).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from stewardmon.errors import UsageError

STEPS: Final = (5, 25, 50, 100)  # the guide's shares of the traffic, in percent


class Decision(StrEnum):
    """What to do with the canary."""

    PROMOTE = "promote"
    HOLD = "hold"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What one group of requests met; `p95` is seconds, None where none was answered."""

    requests: int
    errors: int
    p95: float | None = None

    @property
    def error_rate(self) -> float:
        """Return the share of requests that failed; of no requests it is 0 and says nothing."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a canary must meet; the guide's 5 % of errors and 5 s are the ends of patience.

    `excess` is what its error rate may be above the baseline's. `slowdown` is how many times its
    95th percentile may be the baseline's, where the difference is `noticeable` (seconds). `chance`
    is how likely chance alone may be to abort it.
    """

    samples: int = 50
    errors: float = 0.05
    excess: float = 0.01
    slowdown: float = 1.5
    slow: float = 5.0
    noticeable: float = 0.1
    chance: float = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision with its reasons, and the share to go to where it is a promotion."""

    decision: Decision
    reasons: tuple[str, ...]
    next_step: int | None = None


def decide(baseline: Group, canary: Group, limits: Limits, *, step: int) -> Verdict:
    """Return what to do with a canary that has `step` percent of the traffic."""
    bad = [*_errors(baseline, canary, limits), *_latency(baseline, canary, limits)]
    certain = tuple(text for sure, text in bad if sure)
    if certain:
        return Verdict(Decision.ABORT, certain)
    few = tuple(
        f"the {name} has {group.requests} requests, at least {limits.samples} are wanted"
        for name, group in (("baseline", baseline), ("canary", canary))
        if group.requests < limits.samples
    )
    doubts = (*few, *(text for _, text in bad))
    if doubts:
        return Verdict(Decision.HOLD, doubts)
    following = next((one for one in STEPS if one > step), None)
    reason = (
        f"{canary.error_rate:.1%} of {canary.requests} requests failed "
        f"({baseline.error_rate:.1%} of the baseline's {baseline.requests}), "
        f"95 of 100 took {canary.p95 or 0:.2f} s ({baseline.p95 or 0:.2f} s)"
    )
    return Verdict(Decision.PROMOTE, (reason,), following)


def _errors(baseline: Group, canary: Group, limits: Limits) -> list[tuple[bool, str]]:
    """Return what is wrong with the error rate, and whether it is certain."""
    worse = canary.error_rate - baseline.error_rate
    if worse <= limits.excess and canary.error_rate <= limits.errors:
        return []
    text = (
        f"{canary.error_rate:.1%} of the canary's requests failed, "
        f"{baseline.error_rate:.1%} of the baseline's"
    )
    if worse <= limits.excess:
        # Both fail: going on makes nothing worse, and says nothing of the canary either.
        return [(False, text)]
    by_chance = likelihood(baseline, canary)
    certain = by_chance < limits.chance
    doubt = "" if certain else f" (by chance alone in {by_chance:.0%} of cases)"
    return [(certain, text + doubt)]


def _latency(baseline: Group, canary: Group, limits: Limits) -> list[tuple[bool, str]]:
    if canary.p95 is None or baseline.p95 is None:
        without = "canary" if canary.p95 is None else "baseline"
        return [(False, f"there is no latency of the {without}")]
    enough = min(canary.requests, baseline.requests) >= limits.samples
    shown = f"95 of 100 of the canary's requests took {canary.p95:.2f} s"
    if canary.p95 > limits.slow:
        return [(enough, f"{shown}, {limits.slow:g} s are the end of patience")]
    if canary.p95 > max(baseline.p95 * limits.slowdown, baseline.p95 + limits.noticeable):
        return [(enough, f"{shown}, the baseline's {baseline.p95:.2f} s")]
    return []


def likelihood(baseline: Group, canary: Group) -> float:
    """Return how likely chance alone gives the canary so many of all the errors, or more."""
    errors, all_ = baseline.errors + canary.errors, baseline.requests + canary.requests
    most = min(errors, canary.requests)
    whole = _ways(all_, canary.requests)
    return min(
        1.0,
        sum(
            math.exp(_ways(errors, one) + _ways(all_ - errors, canary.requests - one) - whole)
            for one in range(canary.errors, most + 1)
        ),
    )


def _ways(of: int, some: int) -> float:
    """Return the logarithm of the binomial coefficient, minus infinity where there is no way."""
    if not 0 <= some <= of:
        return -math.inf
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def group_of(name: str, value: Any) -> Group:
    """Return a group that a program has counted: requests, errors, p95. Raises UsageError."""
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be an object with requests, errors and p95")
    requests, errors = _whole(value.get("requests")), _whole(value.get("errors"))
    if not 0 <= errors <= requests:
        raise UsageError(f"{name} needs whole numbers: requests, and errors among them")
    p95 = value.get("p95")
    number = isinstance(p95, int | float) and not isinstance(p95, bool) and math.isfinite(p95)
    if p95 is not None and (not number or p95 < 0):
        raise UsageError(f"{name}: p95 is seconds, or left out")
    return Group(requests=requests, errors=errors, p95=None if p95 is None else float(p95))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
