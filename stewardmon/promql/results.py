"""What an evaluation yields: values, and what Prometheus would warn of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from stewardmon.domain.labels import Labels

Elements = list[tuple[Labels, float]]
"""The elements of an instant vector while it is computed: labels and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Prometheus' annotations: `warnings` and `infos`, each a sentence with its line and column."""

    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector: the elements at one time (Unix milliseconds)."""

    at_ms: int
    samples: Elements
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number at one time."""

    at_ms: int
    value: float
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class String:
    """A text at one time."""

    at_ms: int
    value: str
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Series over time: labels, and (Unix milliseconds, value) in time order."""

    series: list[tuple[Labels, list[tuple[int, float]]]]
    notes: Notes = field(default_factory=Notes)


Result = Vector | Scalar | String | Matrix


@dataclass(slots=True)
class _Monotonic:
    """How far histogram buckets had to be corrected, merged over all steps."""

    first_ms: int
    last_ms: int
    low: float
    high: float
    difference: float
    count: int = 0


class Annotations:
    """Collects annotations during an evaluation; equal ones are kept once."""

    __slots__ = ("_infos", "_monotonic", "_text", "_warnings")

    def __init__(self, text: str) -> None:
        self._text = text
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}
        self._monotonic: dict[tuple[str, int], _Monotonic] = {}

    def warn(self, message: str, at: int) -> None:
        """Add a warning about the place in the expression."""
        self._warnings[f"PromQL warning: {message} ({self._place(at)})"] = None

    def inform(self, message: str, at: int) -> None:
        """Add an information about the place in the expression."""
        self._infos[f"PromQL info: {message} ({self._place(at)})"] = None

    def forced(self, name: str, at: int, now_ms: int, change: tuple[float, float, float]) -> None:
        """Add that histogram_quantile's buckets had to be made monotonic."""
        low, high, difference = change
        known = self._monotonic.get((name, at))
        if known is None:
            self._monotonic[name, at] = _Monotonic(now_ms, now_ms, low, high, difference)
            return
        known.first_ms = min(known.first_ms, now_ms)
        known.last_ms = max(known.last_ms, now_ms)
        known.low = min(known.low, low)
        known.high = max(known.high, high)
        known.difference = max(known.difference, difference)
        known.count += 1

    def notes(self) -> Notes:
        """Return what was collected."""
        if not (self._warnings or self._infos or self._monotonic):
            return _NO_NOTES
        infos = [*self._infos, *(self._sentence(*item) for item in self._monotonic.items())]
        return Notes(warnings=tuple(self._warnings), infos=tuple(infos))

    def _sentence(self, key: tuple[str, int], change: _Monotonic) -> str:
        name, at = key
        named = f' for metric name "{name}"' if name else ""
        return (
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            f"{named}, from buckets {change.low:g} to {change.high:g}, with a max diff of "
            f"{change.difference:.2g}, over {change.count + 1} samples from "
            f"{_rfc3339(change.first_ms)} to {_rfc3339(change.last_ms)} ({self._place(at)})"
        )

    def _place(self, at: int) -> str:
        before = self._text[:at]
        return f"{before.count(chr(10)) + 1}:{at - (before.rfind(chr(10)) + 1) + 1}"


_NO_NOTES = Notes()


def _rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
