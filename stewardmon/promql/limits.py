"""How much one evaluation may cost: samples, series, steps, time. Past it, a clear error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stewardmon.errors import EvaluationError, OverdueError

LOOK_EVERY: Final = 1000
"""Samples between two looks at the time, so that looking costs small expressions nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one evaluation.

    `max_steps` is Prometheus' own (11,000 points a series); `max_samples` counts every reading that
    is looked at, over all steps; `max_inner_steps` bounds one subquery.
    """

    max_samples: int = 20_000_000
    max_series: int = 200_000
    max_steps: int = 11_000
    max_inner_steps: int = 200_000


class Budget:
    """What is left of the limits; `expired` (no arguments) says whether time is up."""

    __slots__ = ("_expired", "_limits", "_look_at", "_samples")

    def __init__(self, limits: Limits, expired: Callable[[], bool] | None = None) -> None:
        self._limits = limits
        self._samples = limits.max_samples
        self._look_at = limits.max_samples
        self._expired = expired

    def spend(self, samples: int) -> None:
        """Count readings about to be looked at; raises EvaluationError past the limit or time."""
        self._samples -= samples
        if self._samples < 0:
            raise EvaluationError(
                f"the expression looks at more than {self._limits.max_samples:,} samples; "
                "select fewer series, a shorter range or a longer step"
            )
        if self._samples < self._look_at:
            self._look_at = self._samples - LOOK_EVERY
            self.look()

    def look(self, *, resumable: bool = False) -> None:
        """Raise OverdueError where time is up; `resumable` as the error says."""
        if self._expired is not None and self._expired():
            raise OverdueError(
                "the expression took longer than it may; select fewer series or a shorter range",
                resumable=resumable,
            )

    def select(self, series: int) -> None:
        """Count series selected by one selector; raises EvaluationError past the limit."""
        if series > self._limits.max_series:
            raise EvaluationError(
                f"the expression selects {series:,} series, more than the "
                f"{self._limits.max_series:,} allowed; add label matchers"
            )

    def steps(self, count: int) -> None:
        """Check the number of steps of a range; raises EvaluationError past the limit."""
        if count > self._limits.max_steps:
            raise EvaluationError(
                f"exceeded maximum resolution of {self._limits.max_steps:,} points per timeseries; "
                "choose a longer step"
            )

    def inner_steps(self, count: int) -> None:
        """Check the number of steps of a subquery; raises EvaluationError past the limit."""
        if count > self._limits.max_inner_steps:
            raise EvaluationError(
                f"a subquery has {count:,} steps, more than the {self._limits.max_inner_steps:,} "
                "allowed; choose a longer step or a shorter range"
            )


class Reads:
    """How many samples the selectors of one query read, counted at each step, as Prometheus does.

    A range counts every sample in it, whether or not a rolling window had seen it before.
    """

    __slots__ = ("samples",)

    def __init__(self) -> None:
        self.samples = 0
