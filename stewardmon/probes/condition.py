"""What a value in an answer must be: the conditions that stand under `expect:`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal

import orjson

from stewardmon.domain.labels import compile_anchored
from stewardmon.domain.redact import excerpt
from stewardmon.errors import ExpressionError
from stewardmon.settings import (
    UNSET,
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    Settings,
)

_KINDS: Final[dict[str, Any]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "list": list,
    "object": dict,
    "null": type(None),
}
_READ_BY_REGEX: Final = 1024 * 1024


def _pattern(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a regular expression is a string")  # noqa: TRY004 - pydantic's protocol
    try:
        compile_anchored(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError("one plain value: a string, a number, true, false or null")


Scalar = Annotated[str | int | float | bool | None, PlainValidator(_scalar)]

_compiled = lru_cache(maxsize=1024)(compile_anchored)


def search(pattern: str, text: str) -> bool:
    """Say whether the RE2 pattern is found anywhere in the text; a dot matches a newline."""
    return _compiled(pattern).search(text[:_READ_BY_REGEX]) is not None


@dataclass(frozen=True, kw_only=True)  # no slots: it keeps what it found out
class Condition(Settings):
    """What one value must meet; every key that is written counts.

    A plain value instead means `equals`. `kind` is string, number, boolean, list, object or null;
    `matches` is found anywhere (RE2); `exists: false` wants the value not to be there.
    """

    equals: Scalar | None = Field(default_factory=lambda: UNSET)  # null is a value
    in_: tuple[Scalar, ...] | None = Field(default=None, alias="in", min_length=1)
    not_in: tuple[Scalar, ...] | None = None
    matches: Pattern | None = None
    not_matches: Pattern | None = None
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    kind: Literal["string", "number", "boolean", "list", "object", "null"] | None = None
    exists: bool = True

    @cached_property
    def _good_words(self) -> frozenset[str]:
        """The words that meet the whole condition, where it is no more than a list of words."""
        if self != Condition(in_=self.in_):
            return frozenset()
        return frozenset(one for one in self.in_ or () if isinstance(one, str))

    def complaints(self, name: str, value: Any) -> Iterable[str]:
        """Return a sentence for each part that the value does not meet."""
        if isinstance(value, str) and value in self._good_words:
            return ()  # what nearly every check of a healthy target comes to
        return self._complaints(name, value)

    def _complaints(self, name: str, value: Any) -> Iterator[str]:
        if not self.exists:
            yield f"{name} is there, expected it not to be"
            return
        yield from self._membership(name, value)
        yield from self._text(name, value)
        yield from self._size(name, value)

    def _membership(self, name: str, value: Any) -> Iterator[str]:
        if self.equals is not UNSET and not same(value, self.equals):
            yield f"{name} is {shown(value)}, expected {shown(self.equals)}"
        if self.in_ is not None and not any(same(value, one) for one in self.in_):
            yield f"{name} is {shown(value)}, expected one of {_listed(self.in_)}"
        if self.not_in is not None and any(same(value, one) for one in self.not_in):
            yield f"{name} is {shown(value)}, expected none of {_listed(self.not_in)}"
        if self.kind is not None and not _is(value, self.kind):
            yield f"{name} is {shown(value)}, expected a {self.kind}"

    def _text(self, name: str, value: Any) -> Iterator[str]:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        if self.matches is not None and not search(self.matches, text):
            yield f"{name} is {shown(value)}, expected it to match {self.matches}"
        if self.not_matches is not None and search(self.not_matches, text):
            yield f"{name} is {shown(value)}, expected it not to match {self.not_matches}"

    def _size(self, name: str, value: Any) -> Iterator[str]:
        limits = {"above": self.gt, "at least": self.ge, "below": self.lt, "at most": self.le}
        if all(limit is None for limit in limits.values()):
            return
        number = _number(value)
        if number is None:
            yield f"{name} is {shown(value)}, expected a number"
            return
        met = {
            "above": self.gt is None or number > self.gt,
            "at least": self.ge is None or number >= self.ge,
            "below": self.lt is None or number < self.lt,
            "at most": self.le is None or number <= self.le,
        }
        for words, holds in met.items():
            if not holds:
                yield f"{name} is {shown(value)}, expected {words} {limits[words]:g}"


def _shorthand(value: Any) -> Any:
    return value if isinstance(value, (dict, Condition)) else {"equals": value}


# A condition, or the plain value that it must equal.
Expected = Annotated[Condition, BeforeValidator(_shorthand)]


def same(found: Any, expected: Any) -> bool:
    """Say whether two JSON scalars are equal; true is not 1, and 1 is 1.0."""
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    return type(found) in (str, int, float, type(None)) and bool(found == expected)


def shown(value: Any) -> str:
    """Return a found value as a sentence may quote it: short, clean, nothing secret in it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f'"{excerpt(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(value if isinstance(value, str) else shown(value) for value in values)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
