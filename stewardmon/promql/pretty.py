"""An expression as Prometheus prints it: one line where it fits, else a part a line, indented.

Source: what `/api/v1/format_query` of Prometheus answers; tests/peers asks both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from stewardmon.domain.labels import NAME, Matcher, Op
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.template.gofmt import float_shortest
from stewardmon.domain.template.printf import quote
from stewardmon.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Card,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)

WIDEST: Final = 100  # characters of what is printed on one line
_INDENT: Final = "  "
_PLAIN: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def pretty(expr: Expr, level: int = 0) -> str:
    """Return the expression over as many lines as it needs, each indented by its depth."""
    indent = _INDENT * level
    line = printed(expr)
    if len(line) <= WIDEST:
        # Prometheus does not indent a subquery that fits.
        return line if isinstance(expr, Subquery) else indent + line
    match expr:
        case Aggregate(expr=inner, param=param):
            first = "" if param is None else f"{pretty(param, level + 1)},\n"
            return f"{indent}{_head(expr)}(\n{first}{pretty(inner, level + 1)}\n{indent})"
        case Binary(left=left, right=right):
            above, below = pretty(left, level + 1), pretty(right, level + 1)
            return f"{above}\n{indent}{_operator(expr)}\n{below}"
        case Call(name=name, args=args) if args:
            inside = ",\n".join(pretty(one, level + 1) for one in args)
            return f"{indent}{name}(\n{inside}\n{indent})"
        case Paren(expr=inner):
            return f"{indent}(\n{pretty(inner, level + 1)}\n{indent})"
        case Subquery(expr=inner):
            return pretty(inner, level) + _steps(expr)
        case Unary(op=op, expr=inner):
            return f"{indent}{op}{pretty(inner, level).strip()}"
        case _:
            return indent + line


def printed(expr: Expr) -> str:
    """Return the expression on one line."""
    match expr:
        case NumberLiteral() | StringLiteral():
            return _literal(expr)
        case VectorSelector():
            return _selector(expr)
        case MatrixSelector(vector=vector, range_ms=range_ms):
            return _selector(vector, f"[{_duration(range_ms)}]")
        case Subquery(expr=inner):
            return printed(inner) + _steps(expr)
        case Paren(expr=inner):
            return f"({printed(inner)})"
        case Unary(op=op, expr=inner):
            return f"{op}{printed(inner)}"
        case Binary(left=left, right=right):
            return f"{printed(left)} {_operator(expr)} {printed(right)}"
        case Call(name=name, args=args):
            return f"{name}({', '.join(map(printed, args))})"
        case Aggregate(expr=inner, param=param):
            first = "" if param is None else f"{printed(param)}, "
            return f"{_head(expr)}({first}{printed(inner)})"


def _head(expr: Aggregate) -> str:
    if expr.without:
        return f"{expr.op} without ({_names(expr.grouping)}) "
    return f"{expr.op} by ({_names(expr.grouping)}) " if expr.grouping else expr.op


def _operator(expr: Binary) -> str:
    return f"{expr.op}{' bool' if expr.returns_bool else ''}{_pairing(expr.matching)}"


def _pairing(matching: Matching) -> str:
    grouped = matching.card in {Card.MANY_TO_ONE, Card.ONE_TO_MANY}
    if not (matching.labels or matching.on or grouped):
        return ""
    text = f" {'on' if matching.on else 'ignoring'} ({_names(matching.labels)})"
    if not grouped:
        return text
    side = "left" if matching.card is Card.MANY_TO_ONE else "right"
    return f"{text} group_{side} ({_names(matching.include)})"


def _literal(expr: NumberLiteral | StringLiteral) -> str:
    return quote(expr.value) if isinstance(expr, StringLiteral) else float_shortest(expr.value)


def _selector(selector: VectorSelector, length: str = "") -> str:
    named = Matcher(NAME, Op.EQUAL, selector.name) if selector.name else None
    matchers = sorted(_matcher(one) for one in selector.matchers if one != named)
    inside = f"{{{','.join(matchers)}}}" if matchers else ""
    return selector.name + inside + length + _moved(selector)


def _matcher(matcher: Matcher) -> str:
    return f"{_name(matcher.name)}{matcher.op}{quote(matcher.text)}"


def _moved(selector: VectorSelector | Subquery) -> str:
    text = ""
    if selector.fixed_ms is not None:
        sign = "-" if selector.fixed_ms < 0 else ""
        seconds, rest = divmod(abs(selector.fixed_ms), 1000)
        text = f" @ {sign}{seconds}.{rest:03}"
    elif selector.edge is not None:
        text = f" @ {selector.edge}()"
    if selector.offset_ms:
        text += f" offset {_duration(selector.offset_ms)}"
    return text


def _steps(expr: Subquery) -> str:
    step = _duration(expr.step_ms) if expr.step_ms else ""
    return f"[{_duration(expr.range_ms)}:{step}]{_moved(expr)}"


def _duration(length_ms: int) -> str:
    return format_duration(timedelta(milliseconds=length_ms))


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_name, names))


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else quote(name)
