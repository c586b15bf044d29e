"""The openai_chat probe: one tiny streamed answer of a model, timed chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from time import perf_counter
from typing import Any, Final, Literal

import orjson
from pydantic import Field

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.exchange import streaming
from stewardmon.probes.failure import Failure
from stewardmon.probes.openai_api import (
    OpenAiApi,
    failed,
    headroom,
    operation,
    refusal,
    traced,
)
from stewardmon.probes.progress import Progress
from stewardmon.probes.wire import Wire

_PROMPT: Final = "Reply with the single word: pong"
_PROMPT_TOKENS: Final = 20  # what the prompt and its frame come to, rounded up
_STREAM_LIMIT: Final = 1024 * 1024
_SHOWN_FINISHES: Final = frozenset({"stop", "length"})


class ChatSettings(OpenAiApi):
    """Which model to ask, how little of it, and how much of it a day.

    `daily_tokens` caps what all asks of this probe may spend between two midnights UTC.
    `usage: false` is for servers that do not count tokens; `limit_parameter` names the
    parameter that bounds the answer, which older servers call max_tokens.
    """

    model: str = Field(min_length=1)
    prompt: str = _PROMPT
    max_tokens: int = Field(default=16, ge=1, le=1000)
    limit_parameter: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    daily_tokens: int = Field(default=20_000, ge=1)
    usage: bool = True

    @property
    def dearest(self) -> int:
        """Return the tokens that one ask may cost at most, about."""
        return max(_PROMPT_TOKENS, len(self.prompt)) + self.max_tokens


@dataclass(slots=True)
class Stream:
    """What a stream of server-sent chunks has told so far; times are perf_counter's."""

    chunks: int = 0
    text: str = ""
    first_at: float = 0.0
    last_at: float = 0.0
    finish: str = ""
    done: bool = False
    spent: Mapping[str, int] = field(default_factory=dict)

    def take(self, line: bytes, *, at: float) -> None:
        """Take one line of the stream; raises Failure for an error within it."""
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
            return
        event = _event(data)
        if event.get("error"):
            raise refusal(0, {}, data)
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                self._choice(choice, at)
        if isinstance(event.get("usage"), dict):
            self.spent = _counts(event["usage"])

    def _choice(self, choice: Mapping[str, Any], at: float) -> None:
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        if isinstance(text, str) and text:
            self.chunks += 1
            self.text += text[: 200 - len(self.text)] if len(self.text) < 200 else ""
            self.first_at = self.first_at or at
            self.last_at = at
        if choice.get("finish_reason"):
            self.finish = str(choice["finish_reason"])


class ChatProbe:
    """Asks one model for a word."""

    def __init__(self, settings: ChatSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._day: date | None = None
        self._today = 0
        body = {
            "model": settings.model,
            "messages": [{"role": "user", "content": settings.prompt}],
            settings.limit_parameter: settings.max_tokens,
            "stream": True,
            **({"stream_options": {"include_usage": True}} if settings.usage else {}),
        }
        self._request = settings.request("/chat/completions", user_agent=user_agent, body=body)

    async def ask(self) -> Outcome:
        """Ask once, unless the day's tokens are spent: then the model's state is unknown."""
        progress = self.progress = Progress()
        if not self._affordable():
            detail = f"{self._today} of {self.settings.daily_tokens} tokens of the day are spent"
            spent = Failure(Reason.BUDGET, detail, state=State.UNKNOWN)
            return failed(spent, progress, (self._spent(),))
        started = perf_counter()
        stream = Stream()
        known: list[Measurement] = []
        try:
            # Counted before it is known: an ask that is cut off has cost something too.
            self._today += self.settings.dearest
            async with streaming(self._request, progress, limit=_STREAM_LIMIT) as wire:
                await wire.head()
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in wire.headers
                }
                known.extend(headroom(headers))
                if wire.status != 200:
                    raise refusal(wire.status, headers, await wire.body())
                await _read(wire, stream)
            self._settle(stream)
            _complete(stream, self.settings)
        except Failure as failure:
            return failed(failure, progress, (*known, *self._timed(stream, started), self._spent()))
        took = perf_counter() - started
        said = f'"{excerpt(stream.text, 40)}" after {took:.2f} s'
        return Outcome(
            state=State.UP,
            detail="; ".join(filter(None, (said, traced(headers)))),
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                *known,
                *self._timed(stream, started),
                Measurement("gen_ai_client_operation_duration_seconds", took, self._labels),
                self._spent(),
            ),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    @property
    def _labels(self) -> dict[str, str]:
        return operation("chat", self.settings.model)

    def _affordable(self) -> bool:
        today = self._clock.now().date()
        if today != self._day:
            self._day, self._today = today, 0
        return self._today + self.settings.dearest <= self.settings.daily_tokens

    def _settle(self, stream: Stream) -> None:
        """Put what was really spent in the place of what it might have been."""
        if stream.spent:
            self._today += sum(stream.spent.values()) - self.settings.dearest

    def _spent(self) -> Measurement:
        model = {"model": self.settings.model}
        return Measurement("stewardmon_openai_probe_tokens_today", float(self._today), model)

    def _timed(self, stream: Stream, started: float) -> Iterator[Measurement]:
        """Yield what OpenTelemetry's GenAI conventions measure of a streamed answer."""
        for kind, count in stream.spent.items():
            labels = {**self._labels, "gen_ai_token_type": kind}
            yield Measurement("gen_ai_client_token_usage", float(count), labels)
        if not stream.chunks:
            return
        name = "gen_ai_client_operation_time_to_first_chunk_seconds"
        yield Measurement(name, stream.first_at - started, self._labels)
        lasted = stream.last_at - stream.first_at
        if stream.chunks > 1:
            name = "gen_ai_client_operation_time_per_output_chunk_seconds"
            yield Measurement(name, lasted / (stream.chunks - 1), self._labels)
        if lasted > 0 and stream.spent.get("output", 0) > 1:
            # The first token's time belongs to the wait for it (PLATFORM.md section 3).
            rate = (stream.spent["output"] - 1) / lasted
            yield Measurement("stewardmon_openai_tokens_per_second", rate, self._labels)


async def _read(wire: Wire, stream: Stream) -> None:
    rest = b""
    while not stream.done:
        piece = await wire.chunk()
        at = perf_counter()
        if not piece:
            break
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            stream.take(line.rstrip(b"\r"), at=at)
    if wire.too_large:
        raise Failure(Reason.TOO_LARGE, "the stream is longer than 1 MiB")


def _complete(stream: Stream, settings: ChatSettings) -> None:
    """Raise Failure for a stream that ended without all that belongs to one."""
    if not stream.done:
        detail = f"the stream ended without [DONE], after {stream.chunks} pieces"
        raise Failure(Reason.INCOMPLETE, detail)
    if not stream.chunks:
        raise Failure(Reason.EMPTY, "the stream holds no text")
    if not stream.finish:
        raise Failure(Reason.INCOMPLETE, "the stream gives no finish_reason")
    if stream.finish not in _SHOWN_FINISHES:
        said = f"the model stopped with {excerpt(stream.finish, 40)}"
        raise Failure(Reason.WRONG_ANSWER, said, state=State.DEGRADED)
    if settings.usage and not stream.spent:
        said = "the stream does not say what it cost"
        raise Failure(Reason.INCOMPLETE, said, state=State.DEGRADED)


def _event(data: bytes) -> Mapping[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        said = excerpt(data.decode("utf-8", "replace"), 40)
        raise Failure(Reason.PROTOCOL, f'the stream holds what is no chunk: "{said}"')
    return event


def _counts(usage: Mapping[str, Any]) -> Mapping[str, int]:
    names = {"input": "prompt_tokens", "output": "completion_tokens"}
    return {
        kind: usage[name]
        for kind, name in names.items()
        if isinstance(usage.get(name), int) and usage[name] >= 0
    }


def make(settings: ChatSettings, shared: Context) -> ChatProbe:
    """Build the probe."""
    return ChatProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=ChatSettings,
    make=make,
    cost=lambda settings: Cost(requests=1, tokens=settings.dearest),
    instance=lambda settings: settings.endpoint().shown,
)
