"""Paths into a JSON body: `services.*`, `items[0].name`, `details["last error"]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_STEP: Final = re.compile(
    r"""(?:^|\.)(?P<any>\*)|(?:^|\.)(?P<key>[^.\[\]"'*\s]+)"""
    r"""|\[(?P<index>-?\d{1,9}|\*)\]|\[(?P<quote>["'])(?P<quoted>.*?)(?P=quote)\]"""
)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path whose steps are keys, list positions (from the end where negative) or None for `*`."""

    text: str
    steps: tuple[str | int | None, ...]

    def __str__(self) -> str:
        return self.text

    def find(self, document: Any) -> Iterator[tuple[str, Any]]:
        """Yield each place that the path names, spelled without `*`, with the value there."""
        return _walk(document, self.steps, "")


def parse_path(text: str) -> JsonPath:
    """Return the path; `$` alone or in front means the whole document. Raises ValueError."""
    rest = text.removeprefix("$").removeprefix(".") if text.startswith("$") else text
    steps: list[str | int | None] = []
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise ValueError(
                f"{text!r} is not a path: write keys with dots between them, * for all of them, "
                f'[0] for a list\'s first, ["odd key"] for any other'
            )
        steps.append(_step(step))
        at = step.end()
    if not steps and not text.startswith("$"):
        raise ValueError("a path is missing")
    return JsonPath(text, tuple(steps))


def _step(step: re.Match[str]) -> str | int | None:
    if step["any"] or step["index"] == "*":
        return None
    if step["index"] is not None:
        return int(step["index"])
    return step["key"] if step["key"] is not None else step["quoted"]


def _walk(value: Any, steps: tuple[str | int | None, ...], at: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield at or "the body", value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        keys = list(value) if step is None else [str(step)] if str(step) in value else []
        for key in keys:
            yield from _walk(value[key], rest, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        if step is None:
            places = list(range(len(value)))
        else:
            places = [step] if isinstance(step, int) and -len(value) <= step < len(value) else []
        for place in places:
            yield from _walk(value[place], rest, f"{at}[{place}]")
