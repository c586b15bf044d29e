"""What the agent said, whole or line by line, and each way in which that is no answer.

PLATFORM.md section 1: a failed agent answers 200 with `error` set; its stream is NDJSON, ends in
`complete`, and tells of an error inside a 200; a broken version sends a bare `complete` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Reason
from stewardmon.domain.redact import excerpt
from stewardmon.network.failure import Failure
from stewardmon.network.wire import Wire
from stewardmon.probes.rest import Answer

STREAM_LIMIT: Final = 1024 * 1024
_STEPS: Final = 3  # lines of a whole stream: fewer may arrive together by chance


def whole(answer: Answer) -> Mapping[str, Any]:
    """Return the body of a 200 that holds an answer; raises Failure."""
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise Failure(Reason.BODY, f"{answer.where} did not answer with JSON") from None
    if not isinstance(told, dict):
        raise Failure(Reason.BODY, f"{answer.where} answered JSON that is no object")
    if told.get("error"):
        detail = f"{answer.where} answered 200 with an error: {_quoted(told['error'])}"
        raise Failure(Reason.ERROR_IN_200, detail)
    if not message_of(told):
        raise Failure(Reason.EMPTY, f"{answer.where} answered 200 without a message")
    return told


def message_of(told: Mapping[str, Any]) -> str:
    """Return the agent's sentence, empty where there is none."""
    message = told.get("message")
    return message.strip() if isinstance(message, str) else ""


@dataclass(slots=True)
class Lines:
    """A stream of lines as it is read; times are perf_counter's, 0 where nothing came yet."""

    where: str
    count: int = 0
    batches: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    complete: Mapping[str, Any] | None = None

    @property
    def buffered(self) -> bool:
        """Say whether all lines came at once: then nobody sees the answer grow."""
        return self.count >= _STEPS and self.batches == 1

    async def read(self, wire: Wire) -> Mapping[str, Any]:
        """Read to the end and return the `complete` line; raises Failure."""
        rest = b""
        while piece := await wire.chunk():
            *lines, rest = (rest + piece).split(b"\n")
            self._take(lines, perf_counter())
        if wire.too_large:
            raise Failure(Reason.TOO_LARGE, f"the stream of {self.where} is longer than 1 MiB")
        if rest.strip():
            self._last(rest)
        return self._ended()

    def _take(self, lines: list[bytes], at: float) -> None:
        filled = [line for line in lines if line.strip()]
        if not filled:
            return
        self.batches += 1
        self.first_at = self.first_at or at
        self.last_at = at
        for line in filled:
            self._line(line)

    def _last(self, line: bytes) -> None:
        """Take what stands behind the last newline: a whole line, or one that was cut."""
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            raise Failure(
                Reason.INCOMPLETE,
                f"the stream of {self.where} breaks off in the middle of line {self.count + 1}",
            ) from None
        self._take([line], perf_counter())

    def _line(self, line: bytes) -> None:
        self.count += 1
        try:
            told = orjson.loads(line)
        except orjson.JSONDecodeError:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("type"), str):
            text = excerpt(line.decode("utf-8", "replace"), 40)
            detail = f'line {self.count} of the stream is no step of an answer: "{text}"'
            raise Failure(Reason.PROTOCOL, detail)
        if told["type"] == "error":
            said = told.get("error") or told.get("message")
            detail = f"the stream tells of an error inside a 200: {_quoted(said)}"
            raise Failure(Reason.ERROR_LINE, detail)
        if told["type"] == "complete":
            self.complete = told

    def _ended(self) -> Mapping[str, Any]:
        told = self.complete
        if told is None:
            detail = f"the stream of {self.where} ended without complete, after {self.count} lines"
            raise Failure(Reason.INCOMPLETE, detail)
        inner = told.get("data")
        held = [told, *([inner] if isinstance(inner, dict) else [])]
        if any(one.get("error") for one in held):
            said = next(one["error"] for one in held if one.get("error"))
            detail = f"the stream completes with an error: {_quoted(said)}"
            raise Failure(Reason.ERROR_LINE, detail)
        found = next((one for one in held if message_of(one)), None)
        if found is None:
            detail = "the stream is complete without a message: nobody was answered"
            raise Failure(Reason.BARE_COMPLETE, detail)
        return found


def _quoted(said: object) -> str:
    if isinstance(said, dict):
        said = said.get("message") or said.get("code") or "an object"
    return f'"{excerpt(str(said), 80)}"'
