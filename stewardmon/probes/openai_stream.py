"""A model's streamed answer, in the two dialects of the API: chat completions and responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.failure import Failure
from stewardmon.network.wire import Wire
from stewardmon.probes.openai_api import refusal

STREAM_LIMIT: Final = 1024 * 1024
_SHOWN_FINISHES: Final = frozenset({"stop", "length"})


@dataclass(slots=True)
class Stream:
    """What a stream of server-sent chunks has told so far; times are perf_counter's.

    `take` reads one event of the dialect that is spoken; `end` is the word that ends it.
    """

    take: Callable[[Stream, Mapping[str, Any], float], None]
    end: str
    chunks: int = 0
    text: str = ""
    first_at: float = 0.0
    last_at: float = 0.0
    finish: str = ""
    done: bool = False
    spent: Mapping[str, int] = field(default_factory=dict)

    async def read(self, wire: Wire) -> None:
        """Read the answer to its end; raises Failure for an error within it."""
        rest = b""
        while not self.done:
            piece = await wire.chunk()
            at = perf_counter()
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._line(line.rstrip(b"\r"), at)
        if wire.too_large:
            raise Failure(Reason.TOO_LARGE, "the stream is longer than 1 MiB")

    def says(self, text: object, at: float) -> None:
        """Take a piece of the answer's text."""
        if isinstance(text, str) and text:
            self.chunks += 1
            self.text += text[: 200 - len(self.text)] if len(self.text) < 200 else ""
            self.first_at = self.first_at or at
            self.last_at = at

    def check(self, *, usage: bool) -> None:
        """Raise Failure for a stream that ended without all that belongs to one."""
        if not self.done:
            detail = f"the stream ended without {self.end}, after {self.chunks} pieces"
            raise Failure(Reason.INCOMPLETE, detail)
        if not self.chunks:
            raise Failure(Reason.EMPTY, "the stream holds no text")
        if not self.finish:
            raise Failure(Reason.INCOMPLETE, "the stream gives no finish_reason")
        if self.finish not in _SHOWN_FINISHES:
            said = f"the model stopped with {excerpt(self.finish, 40)}"
            raise Failure(Reason.WRONG_ANSWER, said, state=State.DEGRADED)
        if usage and not self.spent:
            said = "the stream does not say what it cost"
            raise Failure(Reason.INCOMPLETE, said, state=State.DEGRADED)

    def _line(self, line: bytes, at: float) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return
        self.take(self, _event(data), at)


def chat() -> Stream:
    """Return a stream as /chat/completions sends it: deltas, usage, [DONE]."""
    return Stream(_chat_event, "[DONE]")


def responses() -> Stream:
    """Return a stream as /responses sends it: typed events up to response.completed."""
    return Stream(_response_event, "response.completed")


def _chat_event(stream: Stream, event: Mapping[str, Any], at: float) -> None:
    if event.get("error"):
        raise _refused(event["error"])
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict):
            delta = choice.get("delta")
            stream.says(delta.get("content") if isinstance(delta, dict) else None, at)
            if choice.get("finish_reason"):
                stream.finish = str(choice["finish_reason"])
    if isinstance(event.get("usage"), dict):
        stream.spent = _counts(event["usage"], input="prompt_tokens", output="completion_tokens")


def _response_event(stream: Stream, event: Mapping[str, Any], at: float) -> None:
    kind = event.get("type")
    response = event.get("response")
    if not isinstance(response, dict):
        response = {}
    if kind == "response.output_text.delta":
        stream.says(event.get("delta"), at)
    elif kind == "error":
        raise _refused(event.get("error") or event)
    elif kind == "response.failed":
        raise _refused(response.get("error") or {})
    elif kind in ("response.completed", "response.incomplete"):
        stream.done = True
        stream.finish = _finish(kind, response)
        if isinstance(response.get("usage"), dict):
            stream.spent = _counts(response["usage"], input="input_tokens", output="output_tokens")


def _finish(kind: str, response: Mapping[str, Any]) -> str:
    """Return why a response ended, in the words of chat completions."""
    if kind == "response.completed":
        return "stop"
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return "length" if reason == "max_output_tokens" else str(reason or "incomplete")


def _refused(error: object) -> Failure:
    return refusal(0, {}, orjson.dumps({"error": error}))


def _event(data: bytes) -> Mapping[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        said = excerpt(data.decode("utf-8", "replace"), 40)
        raise Failure(Reason.PROTOCOL, f'the stream holds what is no chunk: "{said}"')
    return event


def _counts(usage: Mapping[str, Any], **names: str) -> Mapping[str, int]:
    return {
        kind: usage[name]
        for kind, name in names.items()
        if isinstance(usage.get(name), int) and usage[name] >= 0
    }
