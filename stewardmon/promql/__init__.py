"""PromQL 3: parse, plan once, evaluate over series. Knows nothing of alerts.

    planned = plan('avg_over_time(probe_success{job="app"}[5m]) < 0.95')
    engine = Engine(store)
    engine.instant(planned, at_ms)                    # a Vector, Scalar, String or Matrix
    engine.range(planned, start_ms, end_ms, step_ms)  # a Matrix

For rules, which are evaluated again and again as time goes on, `engine.windows()` keeps each range
function's state: `engine.instant(planned, at_ms, windows=windows)`.
"""

from stewardmon.promql.engine import Engine
from stewardmon.promql.horizon import check_horizon
from stewardmon.promql.limits import Limits, Reads
from stewardmon.promql.nodes import Expr, ValueType
from stewardmon.promql.parser import parse
from stewardmon.promql.plan import Plan, Threshold, narrowed, plan, span_of, threshold
from stewardmon.promql.results import Matrix, Notes, Result, Scalar, String, Vector
from stewardmon.promql.windows import Windows

__all__ = [
    "Engine",
    "Expr",
    "Limits",
    "Matrix",
    "Notes",
    "Plan",
    "Reads",
    "Result",
    "Scalar",
    "String",
    "Threshold",
    "ValueType",
    "Vector",
    "Windows",
    "check_horizon",
    "narrowed",
    "parse",
    "plan",
    "span_of",
    "threshold",
]
