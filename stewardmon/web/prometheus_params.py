"""The parameters of Prometheus' API: from the query string or a form, one error a mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from stewardmon.domain.quantity import parse_duration
from stewardmon.errors import ExpressionError, StewardmonError

BODY_LIMIT: Final = 1 << 20  # bytes: a query is text that somebody wrote
LATEST_MS: Final = 253_402_300_799_000  # the end of the year 9999
_ENDS_OF_TIME: Final = {  # what Go's clients write for "always": its first and its last time
    "-292273086-05-16T16:47:06Z": -LATEST_MS,
    "292277025-08-18T07:12:54.999999999Z": LATEST_MS,
}


class ParameterError(StewardmonError):
    """A parameter that is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request; names may come more than once."""

    pairs: tuple[tuple[str, str], ...]
    path: Mapping[str, Any]

    def all(self, name: str) -> list[str]:
        """Return every value of a name."""
        return [value for key, value in self.pairs if key == name]

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a text. Raises ParameterError where it is missing and has no default."""
        found = self.all(name)
        if found and found[0] != "":
            return found[0]
        if default is None:
            raise ParameterError(f'invalid parameter "{name}": it is missing')
        return default

    def time(self, name: str, *, default: int | None = None) -> int:
        """Return a time (Unix seconds or RFC 3339) in milliseconds."""
        text = self.text(name, default=None if default is None else "")
        if text == "" and default is not None:
            return default
        if text in _ENDS_OF_TIME:
            return _ENDS_OF_TIME[text]
        at = _seconds(text)
        if at is None or not -LATEST_MS <= at * 1000 <= LATEST_MS:
            raise ParameterError(
                f'invalid parameter "{name}": cannot parse "{text[:60]}" to a valid timestamp'
            )
        return round(at * 1000)

    def step(self, name: str) -> int:
        """Return a step (seconds or a duration) in milliseconds, at least one."""
        seconds = self.duration(name)
        if seconds < 0.001:
            raise ParameterError(
                f'invalid parameter "{name}": zero or negative query resolution step widths are '
                "not accepted. Try a positive integer"
            )
        return round(seconds * 1000)

    def duration(self, name: str, *, default: float | None = None) -> float:
        """Return a duration (seconds as a number, or `5m`) in seconds."""
        text = self.text(name, default=None if default is None else "")
        if text == "" and default is not None:
            return default
        try:
            seconds = float(text)
        except ValueError:
            try:
                return parse_duration(text).total_seconds()
            except ExpressionError:
                seconds = math.nan
        if not math.isfinite(seconds) or abs(seconds) > LATEST_MS:
            raise ParameterError(
                f'invalid parameter "{name}": cannot parse "{text[:60]}" to a valid duration'
            )
        return seconds

    def count(self, name: str) -> int:
        """Return a whole number, 0 where there is none."""
        text = self.text(name, default="0")
        if not text.isdecimal() or len(text) > 9:
            raise ParameterError(f'invalid parameter "{name}": "{text[:60]}" is no whole number')
        return int(text)


async def read_parameters(request: Request) -> Parameters:
    """Return the parameters of the query string and of a form in the body."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise ParameterError(f"the body is larger than {BODY_LIMIT} bytes")
        pairs = [*parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True), *pairs]
    return Parameters(tuple(pairs), request.path_params)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        return at.timestamp() if at.tzinfo is not None else None
    return seconds if math.isfinite(seconds) else None
