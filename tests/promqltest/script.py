"""Reads Prometheus' PromQL test scripts: `load`, `clear`, `eval`, and what each expects.

The format is described in the README of Prometheus' promqltest package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from stewardmon.domain.quantity import parse_duration
from stewardmon.promql.lexer import tokens


@dataclass(slots=True)
class Load:
    """Series to add: lines of series notation, one sample every `step_ms`."""

    line: int
    step_ms: int
    series: list[tuple[int, str]]
    with_nhcb: bool = False


@dataclass(slots=True)
class Clear:
    """Forget everything loaded."""

    line: int


@dataclass(frozen=True, slots=True)
class Text:
    """A condition on a message: any, equal, or matching."""

    exact: str | None = None
    regex: str | None = None

    def accepts(self, message: str) -> bool:
        """Say whether the message meets the condition."""
        if self.exact is not None:
            return message == self.exact
        return self.regex is None or re.search(self.regex, message) is not None


@dataclass(slots=True)
class Eval:
    """A query and what it must give."""

    line: int
    text: str
    start_ms: int
    end_ms: int
    step_ms: int | None
    ordered: bool = False
    fails: Text | None = None
    warns: list[Text] = field(default_factory=list)
    informs: list[Text] = field(default_factory=list)
    no_warn: bool = False
    no_info: bool = False
    string: str | None = None
    scalar: float | None = None
    range_vector: tuple[int, int, int] | None = None
    series: list[tuple[int, str]] = field(default_factory=list)


Command = Load | Clear | Eval

_LOAD: Final = re.compile(r"load(_with_nhcb)?\s+(\S+)$", re.IGNORECASE)
_INSTANT: Final = re.compile(
    r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$"
)
_RANGE: Final = re.compile(
    r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$"
)
_EXPECT: Final = re.compile(
    r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$"
)
_EXPECT_RANGE: Final = re.compile(
    r"expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$"
)


class ScriptError(Exception):
    """A script that cannot be read, with file and line."""


def milliseconds(text: str) -> int:
    """Return a duration of the script in milliseconds; a leading minus is allowed."""
    if text.startswith("-"):
        return -milliseconds(text[1:])
    return parse_duration(text) // timedelta(milliseconds=1)


def commands(path: Path) -> Iterator[Command]:
    """Yield the commands of a script in order; raises ScriptError for what is none."""
    lines = [_stripped(line) for line in path.read_text(encoding="utf-8").split("\n")]
    at = 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        body = _body(lines, at)
        try:
            yield _command(lines[at], at + 1, body)
        except ValueError as error:
            raise ScriptError(f"{path.name}:{at + 1}: {error}") from error
        at += 1 + len(body)


def _stripped(line: str) -> str:
    line = line.strip()
    return "" if line.startswith("#") else line


def _body(lines: list[str], at: int) -> list[tuple[int, str]]:
    """Return the numbered lines below a command, up to the next empty one."""
    if lines[at].lower().startswith("clear"):
        return []
    body: list[tuple[int, str]] = []
    for number, line in enumerate(lines[at + 1 :], at + 2):
        if not line:
            break
        body.append((number, line))
    return body


def _command(line: str, number: int, body: list[tuple[int, str]]) -> Command:
    if line.lower() == "clear":
        return Clear(number)
    load = _LOAD.match(line)
    if load:
        return Load(number, milliseconds(load[2]), body, with_nhcb=load[1] is not None)
    instant = _INSTANT.match(line)
    if instant:
        at_ms = milliseconds(instant[2] or "0")
        return _expecting(Eval(number, instant[3], at_ms, at_ms, None), instant[1], body)
    ranged = _RANGE.match(line)
    if ranged:
        start, end, step = map(milliseconds, ranged.group(2, 3, 4))
        return _expecting(Eval(number, ranged[5], start, end, step), ranged[1], body)
    raise ValueError(f"invalid command: {line}")


def _expecting(case: Eval, mode: str | None, body: list[tuple[int, str]]) -> Eval:
    anything = Text()
    case.ordered = mode == "ordered"
    case.fails = anything if mode == "fail" else None
    case.warns = [anything] if mode == "warn" else []
    case.informs = [anything] if mode == "info" else []
    for number, line in body:
        _expectation(case, number, line)
    return case


def _expectation(case: Eval, number: int, line: str) -> None:
    word, _, rest = line.partition(" ")
    ranged = _EXPECT_RANGE.match(line)
    expect = _EXPECT.match(line)
    if word == "expected_fail_message":
        case.fails = Text(exact=rest.strip())
    elif word == "expected_fail_regexp":
        case.fails = Text(regex=rest.strip())
    elif ranged:
        start, end, step = map(milliseconds, ranged.groups())
        case.range_vector = (start, end, step)
        case.start_ms = case.end_ms = end
    elif line.startswith("expect string "):
        case.string = next(iter(tokens(line.removeprefix("expect string ")))).text
    elif expect:
        _annotation(case, expect)
    elif (number_value := _scalar(line)) is not None:
        case.scalar = number_value
    else:
        case.series.append((number, line))


def _scalar(line: str) -> float | None:
    try:
        return float(line) if "_" not in line else None
    except ValueError:
        return None


def _annotation(case: Eval, expect: re.Match[str]) -> None:
    kind, how, text = expect.groups()
    text = (text or "").strip()
    condition = Text(exact=text) if how == "msg" else Text(regex=text or None)
    match kind:
        case "ordered":
            case.ordered = True
        case "fail":
            case.fails = condition
        case "warn":
            case.warns.append(condition)
        case "info":
            case.informs.append(condition)
        case "no_warn":
            case.no_warn = True
        case _:
            case.no_info = True
