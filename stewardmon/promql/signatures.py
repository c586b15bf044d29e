"""The functions and aggregators of PromQL 3: names, argument types, which are stable.

Source: prometheus.io/docs/prometheus/latest/querying/functions/ and …/operators/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stewardmon.promql.nodes import ValueType

_SCALAR, _STRING = ValueType.SCALAR, ValueType.STRING
_VECTOR, _MATRIX = ValueType.VECTOR, ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives; `optional` trailing arguments, -1 for any number."""

    takes: tuple[ValueType, ...]
    gives: ValueType = _VECTOR
    optional: int = 0

    @property
    def least(self) -> int:
        """The smallest number of arguments."""
        return len(self.takes) - (1 if self.optional else 0)

    @property
    def most(self) -> int | None:
        """The largest number of arguments, None for no limit."""
        if self.optional < 0:
            return None
        return self.least + self.optional if self.optional else len(self.takes)

    def type_of(self, index: int) -> ValueType:
        """Return the type of the argument at the index."""
        return self.takes[min(index, len(self.takes) - 1)]


def _all(names: str, signature: Signature) -> dict[str, Signature]:
    return dict.fromkeys(names.split(), signature)


FUNCTIONS: Final[dict[str, Signature]] = {
    **_all(
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg "
        "histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin "
        "sinh sort sort_desc sqrt tan tanh timestamp",
        Signature((_VECTOR,)),
    ),
    **_all(
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta "
        "increase irate last_over_time max_over_time min_over_time present_over_time rate resets "
        "stddev_over_time stdvar_over_time sum_over_time",
        Signature((_MATRIX,)),
    ),
    **_all(
        "day_of_month day_of_week day_of_year days_in_month hour minute month year",
        Signature((_VECTOR,), optional=1),
    ),
    **_all("clamp_max clamp_min", Signature((_VECTOR, _SCALAR))),
    **_all("pi time", Signature((), gives=_SCALAR)),
    "clamp": Signature((_VECTOR, _SCALAR, _SCALAR)),
    "histogram_fraction": Signature((_SCALAR, _SCALAR, _VECTOR)),
    "histogram_quantile": Signature((_SCALAR, _VECTOR)),
    "label_join": Signature((_VECTOR, _STRING, _STRING, _STRING), optional=-1),
    "label_replace": Signature((_VECTOR, _STRING, _STRING, _STRING, _STRING)),
    "predict_linear": Signature((_MATRIX, _SCALAR)),
    "quantile_over_time": Signature((_SCALAR, _MATRIX)),
    "round": Signature((_VECTOR, _SCALAR), optional=1),
    "scalar": Signature((_VECTOR,), gives=_SCALAR),
    "vector": Signature((_SCALAR,)),
}

EXPERIMENTAL_FUNCTIONS: Final = frozenset(
    {
        "double_exponential_smoothing",
        "end",
        "histogram_quantiles",
        "info",
        "mad_over_time",
        "max_of",
        "min_of",
        "range",
        "sort_by_label",
        "sort_by_label_desc",
        "start",
        "start_timestamp",
        "step",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    }
)

RENAMED_FUNCTIONS: Final = {
    "holt_winters": "double_exponential_smoothing (experimental, not supported)",
}

AGGREGATORS: Final = frozenset(
    {
        "avg",
        "bottomk",
        "count",
        "count_values",
        "group",
        "max",
        "min",
        "quantile",
        "stddev",
        "stdvar",
        "sum",
        "topk",
    }
)
EXPERIMENTAL_AGGREGATORS: Final = frozenset({"limit_ratio", "limitk"})
SCALAR_PARAM: Final = frozenset({"bottomk", "quantile", "topk"})
STRING_PARAM: Final = frozenset({"count_values"})
