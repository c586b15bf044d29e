"""Random PromQL that means something: typed, over known series, within what Prometheus 2.42 has.

Prometheus 2.42 closes ranges on both sides and 3 opens them on the left, so nothing here may lie on
an edge: samples stand at half seconds, ranges and offsets are whole multiples of `STEP` seconds,
and instants are `OFF` seconds past such a multiple.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.promql.signatures import FUNCTIONS

BASE: Final = 1_699_999_980  # a multiple of STEP
STEP: Final = 30
OFF: Final = 7
LENGTH: Final = 3600
EVERY: Final = 15

#: What 2.42 has not, and what makes sense only of native histograms.
ABSENT: Final = frozenset(
    {"first_over_time", "histogram_avg", "histogram_stddev", "histogram_stdvar",
     "histogram_count", "histogram_sum", "histogram_fraction"}
)  # fmt: skip


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


ELEMENTWISE: Final = words(
    "abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin "
    "sinh sqrt tan tanh"
)
CALENDAR: Final = words("day_of_month day_of_week day_of_year days_in_month hour minute month year")
COUNTED: Final = ("rate", "increase", "irate", "resets")
OVER_TIME: Final = words(
    "absent_over_time avg_over_time changes count_over_time delta deriv idelta last_over_time "
    "max_over_time min_over_time present_over_time stddev_over_time stdvar_over_time sum_over_time "
    "resets"
)
FOLDS: Final = ("sum", "avg", "min", "max", "count", "group")
ARITHMETIC: Final = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS: Final = ("==", "!=", ">", ">=", "<", "<=")

Column = list[tuple[float, float]]  # Unix seconds, value


@dataclass(frozen=True, slots=True)
class Written:
    """A series with its readings."""

    labels: Labels
    points: Column


def series(random: Random) -> Iterator[Written]:
    """Return the series that expressions ask for: gauges, counters, buckets, odd values, gaps."""
    for job in ("app", "db", "ai"):
        for instance in ("a", "b", "c"):
            who = {"job": job, "instance": instance}
            yield Written(Labels({NAME: "gauge", **who}), _gauge(random))
            yield Written(Labels({NAME: "load", **who, "zone": "x"}), _gauge(random, gap=0.3))
            yield Written(Labels({NAME: "requests_total", **who}), _counter(random))
            yield Written(Labels({NAME: "errors_total", **who}), _counter(random, reset=0.03))
            yield from _buckets(random, who)
        yield Written(Labels({NAME: "build_info", "job": job, "version": f"v{job}"}), _constant(1))
    for place, value in enumerate((math.nan, math.inf, -math.inf)):
        column = [(at, value if random.random() < 0.2 else here) for at, here in _gauge(random)]
        yield Written(Labels({NAME: "odd", "instance": f"{place}"}), column)
    yield Written(Labels({NAME: "ended", "job": "app"}), _gauge(random)[: LENGTH // EVERY // 2])


def _times() -> Iterator[float]:
    return (BASE + second + 0.5 for second in range(0, LENGTH, EVERY))


def _gauge(random: Random, *, gap: float = 0.0) -> Column:
    level = random.uniform(-50, 50)
    return [
        (at, round(level + random.gauss(0, 10), 3)) for at in _times() if random.random() >= gap
    ]


def _counter(random: Random, *, reset: float = 0.0) -> Column:
    value = random.uniform(5000, 9000)
    column = []
    for at in _times():
        value = 0.0 if random.random() < reset else value + random.choice((0, 1, 2, 7.5, 30))
        column.append((at, value))
    return column


def _constant(value: float) -> Column:
    return [(at, value) for at in _times()]


def _buckets(random: Random, who: dict[str, str]) -> Iterator[Written]:
    bounds = ("0.1", "0.5", "1", "5", "+Inf")
    counts = [1000.0 * (place + 1) for place in range(len(bounds))]
    columns: list[Column] = [[] for _ in bounds]
    for at in _times():
        grown = 0
        for place, column in enumerate(columns):
            grown += random.randrange(4)
            counts[place] += grown
            column.append((at, counts[place]))
    for bound, column in zip(bounds, columns, strict=True):
        yield Written(Labels({NAME: "seconds_bucket", **who, "le": bound}), column)


def openmetrics(written: list[Written]) -> str:
    """Return the series for `promtool tsdb create-blocks-from openmetrics`."""
    lines: list[str] = []
    for name in dict.fromkeys(one.labels.value(NAME) for one in written):
        lines.append(f"# TYPE {name} unknown")
        for one in written:
            if one.labels.value(NAME) == name:
                inside = ",".join(f'{k}="{v}"' for k, v in one.labels.pairs if k != NAME)
                lines += [f"{name}{{{inside}}} {_number(v)} {at:.3f}" for at, v in one.points]
    return "\n".join([*lines, "# EOF", ""])


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


class Generator:
    """Expressions by chance; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def expression(self) -> str:
        """Return one expression: mostly a vector, now and then a number."""
        return self.scalar(2) if self._random.random() < 0.05 else self.vector(3)

    def vector(self, depth: int) -> str:
        """Return an instant vector; `depth` bounds how far it nests."""
        if depth <= 0:
            return self._selector(self._gauges())
        forms: tuple[tuple[int, Callable[[int], str]], ...] = (
            (2, lambda _: self._selector(self._gauges())),
            (5, self._over_time),
            (4, self._fold),
            (4, self._binary),
            (3, self._function),
            (2, self._set),
            (1, self._grouped),
            (1, self._labelled),
            (1, lambda _: self._quantile()),
            (1, lambda d: f"-{self._operand(d)}"),
        )
        weights = [weight for weight, _ in forms]
        (_, form) = self._random.choices(forms, weights)[0]
        return form(depth)

    def scalar(self, depth: int) -> str:
        """Return a number."""
        pick = self._random.random()
        if depth <= 0 or pick < 0.5:
            return self._pick("0", "1", "2.5", "-3", "1e3", "0x10", "Inf", "NaN", "0.9", "100")
        if pick < 0.6:
            return self._pick("time()", "pi()")
        if pick < 0.75:
            return f"scalar({self.vector(depth - 1)})"
        op = self._pick(*ARITHMETIC, *(f"{one} bool" for one in COMPARISONS))
        return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"

    def _operand(self, depth: int) -> str:
        return f"({self.vector(depth - 1)})"

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _gauges(self) -> str:
        return self._pick("gauge", "gauge", "load", "requests_total", "odd", "ended", "build_info")

    def _selector(self, name: str) -> str:
        return f"{name}{self._matchers()}{self._moved()}"

    def _matchers(self) -> str:
        matchers = self._random.sample(
            ['job="app"', 'job!="ai"', 'job=~"a.*"', 'job!~"d.|x"', 'instance=~"a|b"',
             'instance!="c"', 'zone=""', 'job=~".+"', 'nothing!="x"', 'job=~"(?i)APP|DB"'],
            self._random.choice((0, 0, 0, 1, 1, 2)),
        )  # fmt: skip
        return f"{{{', '.join(matchers)}}}" if matchers else ""

    def _moved(self) -> str:
        pick = self._random.random()
        if pick < 0.7:
            return ""
        if pick < 0.85:
            return f" offset {self._pick('30s', '5m', '-1m', '10m')}"
        if pick < 0.95:
            return f" @ {BASE + STEP * self._random.randrange(10, 110) + OFF}"
        return f" @ {self._pick('start()', 'end()')} offset 1m"

    def _ranged(self, depth: int, name: str) -> str:
        if depth > 1 and self._random.random() < 0.2:
            inner = self.vector(depth - 2)
            return f"({inner})[{self._pick('2m', '5m', '10m')}:{self._pick('30s', '1m')}]"
        length = self._pick("1m", "2m", "5m", "20m", "90s")
        return f"{name}{self._matchers()}[{length}]{self._moved()}"

    def _over_time(self, depth: int) -> str:
        pick = self._random.random()
        if pick < 0.3:
            counter = self._pick("requests_total", "errors_total", "seconds_bucket")
            length = self._pick("1m", "2m", "5m", "20m")
            function = self._pick(*COUNTED)
            return f"{function}({counter}{self._matchers()}[{length}]{self._moved()})"
        ranged = self._ranged(depth, self._pick("gauge", "load", "odd", "ended", "errors_total"))
        if pick < 0.4:
            return f"quantile_over_time({self._pick('0.5', '0.9', '0', '1', '2', '-1')}, {ranged})"
        if pick < 0.5:
            ranged = ranged.partition(" @")[0]  # with @, 2.42 lets the window wander in a range
            return f"predict_linear({ranged}, {self._pick('60', '3600', '-30')})"
        return f"{self._pick(*OVER_TIME)}({ranged})"

    def _fold(self, depth: int) -> str:
        by = self._pick(
            "", " by (job)", " by (instance)", " by (job, instance)", " without (instance)",
            " without (job, zone)", " by ()", " by (nothing)",
        )  # fmt: skip
        pick = self._random.random()
        if pick < 0.6:
            return f"{self._pick(*FOLDS)}{by} {self._operand(depth)}"
        if pick < 0.65:
            # Its labels are the numbers' digits: nothing computed, where roundings may differ.
            return f'count_values{by} ("value", gauge{self._matchers()}{self._moved()})'
        inner = self._steady(depth)
        if pick < 0.75:
            return f"{self._pick('topk', 'bottomk')}{by} ({self._pick('1', '2', '5')}, {inner})"
        if pick < 0.88:
            return f"quantile{by} ({self._pick('0.5', '0.25', '0.99')}, {inner})"
        return f"{self._pick('stddev', 'stdvar')}{by} ({inner})"

    def _steady(self, depth: int) -> str:
        """Return a vector without ties, NaN and Inf.

        What topk picks of equals is nobody's promise; the deviation of one Inf is 0 in 2.42, NaN
        in 3.
        """
        if self._random.random() < 0.5:
            return f"gauge{self._matchers()}"
        return f"avg_over_time({self._ranged(depth and 1, 'gauge')})"

    def _binary(self, depth: int) -> str:
        op = self._pick(*ARITHMETIC, *COMPARISONS)
        modifier = " bool" if op in COMPARISONS and self._random.random() < 0.4 else ""
        # 2.42 forgot that atan2 drops the metric name: give it operands without.
        left, right = (
            f"abs{side}" if op == "atan2" else side
            for side in (self._operand(depth), self._operand(depth))
        )
        pick = self._random.random()
        if pick < 0.4:
            return f"{left} {op}{modifier} {self.scalar(depth - 1)}"
        if pick < 0.5:
            return f"{self.scalar(depth - 1)} {op}{modifier} {right}"
        matching = self._pick(
            "", "", " on (job, instance)", " ignoring (zone)", " on (job)", " ignoring (instance)"
        )
        if matching and op in COMPARISONS:
            modifier = " bool"  # without, 2.42 looks for several partners after filtering, 3 before
        return f"{left} {op}{modifier}{matching} {right}"

    def _set(self, depth: int) -> str:
        matching = self._pick("", " on (job)", " ignoring (zone)", " on ()", " on (instance)")
        op = self._pick("and", "or", "unless")
        return f"{self._operand(depth)} {op}{matching} {self._operand(depth)}"

    def _grouped(self, depth: int) -> str:
        many, op = self._operand(depth), self._pick("*", "/", "+", "> bool", "== bool")
        one = self._pick("build_info", "sum by (job) (gauge)", "max by (job) (load)")
        brings = self._pick("", " (version)", " ()")
        if self._random.random() < 0.5:
            return f"{many} {op} on (job) group_left{brings} ({one})"
        return f"({one}) {op} on (job) group_right{brings} {many}"

    def _function(self, depth: int) -> str:
        inner = self.vector(depth - 1)
        number = self.scalar(depth - 1)
        forms = (
            lambda: f"{self._pick(*ELEMENTWISE)}({inner})",
            # Of times, not of values: the date of NaN differs by processor in Go.
            lambda: f"{self._pick(*CALENDAR)}({self._pick('', f'timestamp({inner})')})",
            lambda: f"{self._pick('clamp_min', 'clamp_max')}({inner}, {number})",
            lambda: f"clamp({inner}, {self.scalar(0)}, {self.scalar(0)})",
            lambda: f"round({inner}{self._pick('', ', 5', ', 0.1')})",
            lambda: f"absent({self._pick(inner, self._selector('nothing'))})",
            lambda: f"{self._pick('sort', 'sort_desc')}({inner})",
            lambda: f"timestamp({inner})",
            lambda: f"vector({number})",
        )
        return self._random.choice(forms)()

    def _labelled(self, depth: int) -> str:
        inner = self.vector(depth - 1)
        if self._random.random() < 0.5:
            return f'label_join({inner}, "{self._pick("job", "both")}", "-", "job", "instance")'
        into, template = self._pick("job", "to", "__name__"), self._pick("$1", "x_$1", "", "${1}z")
        return (
            f'label_replace({inner}, "{into}", "{template}", "job", "{self._pick("(a).*", ".*")}")'
        )

    def _quantile(self) -> str:
        by = self._pick("le", "le, job", "le, instance")
        length = self._pick("2m", "10m")
        phi = self._pick("0.5", "0.9", "0.99", "0", "1", "1.5")
        inner = f"rate(seconds_bucket{self._matchers()}[{length}])"
        return f"histogram_quantile({phi}, sum by ({by}) ({inner}))"


def functions_in(text: str) -> set[str]:
    """Return the functions of the language that the expression calls."""
    return {name for name in FUNCTIONS if f"{name}(" in text.replace(" ", "")}
