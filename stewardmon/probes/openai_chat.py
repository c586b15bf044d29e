"""The openai_chat probe: one tiny streamed answer of a model, timed chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Literal

from stewardmon.domain.outcome import Cost, Measurement, Outcome, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.exchange import streaming
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes import openai_stream
from stewardmon.probes.openai_api import (
    OpenAiApi,
    failed,
    headroom,
    operation,
    refusal,
    traced,
)
from stewardmon.probes.openai_stream import STREAM_LIMIT, Stream
from stewardmon.probes.openai_tokens import DailyTokens
from stewardmon.settings import Field

_PROMPT: Final = "Reply with the single word: pong"
_PROMPT_TOKENS: Final = 20  # what the prompt and its frame come to, rounded up


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings(OpenAiApi):
    """Which model to ask, by which API, how little of it, and how much of it a day.

    `daily_tokens` caps what all asks of this probe may spend between two midnights UTC.
    `usage: false` is for servers that do not count tokens; `limit_parameter` names the
    parameter that bounds a chat completion, which older servers call max_tokens. A response is
    asked for with `store: false`.
    """

    model: str = Field(min_length=1)
    api: Literal["chat_completions", "responses"] = "chat_completions"
    prompt: str = _PROMPT
    max_tokens: int = Field(default=16, ge=1, le=1000)
    limit_parameter: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    daily_tokens: int = Field(default=20_000, ge=1)
    usage: bool = True

    @property
    def dearest(self) -> int:
        """Return the tokens that one ask may cost at most, about."""
        return max(_PROMPT_TOKENS, len(self.prompt)) + self.max_tokens

    def asked(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the body of one ask."""
        if self.api == "responses":
            return "/responses", {
                "model": self.model,
                "input": self.prompt,
                "max_output_tokens": self.max_tokens,
                "stream": True,
                "store": False,
            }
        return "/chat/completions", {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt}],
            self.limit_parameter: self.max_tokens,
            "stream": True,
            **({"stream_options": {"include_usage": True}} if self.usage else {}),
        }


class ChatProbe:
    """Asks one model for a word."""

    def __init__(self, settings: ChatSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._tokens = DailyTokens(
            clock, model=settings.model, cap=settings.daily_tokens, dearest=settings.dearest
        )
        path, body = settings.asked()
        self._request = settings.request(path, user_agent=user_agent, body=body)
        self._labels = operation("chat", settings.model)

    async def ask(self) -> Outcome:
        """Ask once, unless the day's tokens are spent: then the model's state is unknown."""
        progress = self.progress = Progress()
        started = perf_counter()
        stream = self._stream()
        known: list[Measurement] = []
        try:
            self._tokens.take()
            async with streaming(self._request, progress, limit=STREAM_LIMIT) as wire:
                await wire.head()
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in wire.headers
                }
                known.extend(headroom(headers))
                if wire.status != 200:
                    raise refusal(wire.status, headers, await wire.body())
                await stream.read(wire)
            if stream.spent:
                self._tokens.settle(sum(stream.spent.values()))
            stream.check(usage=self.settings.usage)
        except Failure as failure:
            timed = self._timed(stream, started)
            return failed(failure, progress, (*known, *timed, self._tokens.spent()))
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
                self._tokens.spent(),
            ),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    def _stream(self) -> Stream:
        if self.settings.api == "responses":
            return openai_stream.responses()
        return openai_stream.chat()

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


def make(settings: ChatSettings, shared: Context) -> ChatProbe:
    """Build the probe."""
    return ChatProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=ChatSettings,
    make=make,
    cost=lambda settings: Cost(requests=1, tokens=settings.dearest),
    instance=lambda settings: settings.endpoint().shown,
)
