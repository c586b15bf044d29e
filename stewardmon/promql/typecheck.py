"""Which expressions make sense: the type of every part, checked once when a rule is loaded."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.labels import compile_anchored
from stewardmon.errors import ExpressionError
from stewardmon.promql import signatures
from stewardmon.promql.nodes import (
    COMPARISONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Card,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
    unwrapped,
)
from stewardmon.promql.stream import check_label_name

_PLAIN: Final = frozenset({ValueType.SCALAR, ValueType.VECTOR})


def type_of(expr: Expr) -> ValueType:  # noqa: C901  # one case for each kind of node
    """Check the expression and everything in it; return what it yields.

    Raises ExpressionError with the column of the first part that does not fit.
    """
    match expr:
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case VectorSelector():
            return ValueType.VECTOR
        case MatrixSelector():
            return ValueType.MATRIX
        case Paren(expr=inner):
            return type_of(inner)
        case Subquery():
            return _subquery(expr)
        case Unary():
            return _unary(expr)
        case Binary():
            return _binary(expr)
        case Call():
            return _call(expr)
        case Aggregate():
            return _aggregate(expr)


def _refuse(message: str, at: int) -> ExpressionError:
    return ExpressionError(message, column=at + 1)


def _expect(expr: Expr, wanted: ValueType, where: str) -> None:
    found = type_of(expr)
    if found is not wanted:
        raise _refuse(f"expected type {wanted} in {where}, got {found}", expr.at)


def _subquery(expr: Subquery) -> ValueType:
    found = type_of(expr.expr)
    if found is not ValueType.VECTOR:
        raise _refuse(
            f"subquery is only allowed on instant vector, got {found} instead", expr.expr.at
        )
    return ValueType.MATRIX


def _unary(expr: Unary) -> ValueType:
    found = type_of(expr.expr)
    if found not in _PLAIN:
        raise _refuse(
            "unary expression only allowed on expressions of type scalar or instant vector, "
            f"got {found}",
            expr.at,
        )
    return found


def _binary(expr: Binary) -> ValueType:
    left, right = type_of(expr.left), type_of(expr.right)
    for side, found in ((expr.left, left), (expr.right, right)):
        if found not in _PLAIN:
            raise _refuse(
                f"binary expression must contain only scalar and instant vector types, got {found}",
                side.at,
            )
    scalars = [left, right].count(ValueType.SCALAR)
    compares = expr.op in COMPARISONS
    if expr.returns_bool and not compares:
        raise _refuse("bool modifier can only be used on comparison operators", expr.op_at)
    if compares and scalars == 2 and not expr.returns_bool:
        raise _refuse("comparisons between scalars must use BOOL modifier", expr.op_at)
    if expr.op in SETS and scalars:
        raise _refuse(
            f'set operator "{expr.op}" not allowed in binary scalar expression', expr.op_at
        )
    _check_matching(expr, vectors=not scalars)
    return ValueType.SCALAR if scalars == 2 else ValueType.VECTOR


def _check_matching(expr: Binary, *, vectors: bool) -> None:
    matching = expr.matching
    both = set(matching.labels) & set(matching.include)
    if matching.on and both:
        raise _refuse(
            f'label "{min(both)}" must not occur in ON and GROUP clause at once', expr.op_at
        )
    if matching.labels and not vectors:
        raise _refuse("vector matching only allowed between instant vectors", expr.op_at)
    if expr.op in SETS and matching.card is not Card.MANY_TO_MANY:
        raise _refuse(f'no grouping allowed for "{expr.op}" operation', expr.op_at)


def _call(expr: Call) -> ValueType:
    signature = signatures.FUNCTIONS[expr.name]
    count, least, most = len(expr.args), signature.least, signature.most
    wanted = ""
    if least == most and count != least:
        wanted = f"{least}"
    elif count < least:
        wanted = f"at least {least}"
    elif most is not None and count > most:
        wanted = f"at most {most}"
    if wanted:
        raise _refuse(
            f'expected {wanted} argument(s) in call to "{expr.name}", got {count}', expr.at
        )
    for index, arg in enumerate(expr.args):
        _expect(arg, signature.type_of(index), f'call to function "{expr.name}"')
    _check_label_arguments(expr)
    return signature.gives


def _check_label_arguments(expr: Call) -> None:
    """Refuse at load what label_replace and label_join could only refuse at every evaluation."""
    texts = [arg for arg in map(unwrapped, expr.args) if isinstance(arg, StringLiteral)]
    if expr.name == "label_replace":
        named = texts[:1]
        try:
            compile_anchored(texts[3].value)
        except ExpressionError as error:
            raise _refuse(f"{error} in label_replace()", texts[3].at) from None
    elif expr.name == "label_join":
        named = [texts[0], *texts[2:]]
    else:
        return
    for text in named:
        check_label_name(text.value, column=text.at + 1)


def _aggregate(expr: Aggregate) -> ValueType:
    _expect(expr.expr, ValueType.VECTOR, "aggregation expression")
    if expr.param is not None:
        is_text = expr.op in signatures.STRING_PARAM
        wanted = ValueType.STRING if is_text else ValueType.SCALAR
        _expect(expr.param, wanted, "aggregation parameter")
        param = unwrapped(expr.param)
        if isinstance(param, StringLiteral):
            check_label_name(param.value, column=param.at + 1)
    return ValueType.VECTOR
