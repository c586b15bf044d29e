"""The openai_embeddings probe: one short text made into a vector, as search and matching need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.exchange import Reply, exchange
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.http import decoded
from stewardmon.probes.openai_api import (
    BODY_LIMIT,
    OpenAiApi,
    failed,
    headroom,
    operation,
    refusal,
    traced,
)
from stewardmon.probes.openai_tokens import DailyTokens
from stewardmon.settings import Field

_TEXT: Final = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsSettings(OpenAiApi):
    """Which model to ask; `dimensions` is how long its vectors must be.

    `daily_tokens` caps what all asks of this probe may spend between two midnights UTC.
    """

    model: str = Field(min_length=1)
    text: str = Field(default=_TEXT, min_length=1, max_length=2000)
    dimensions: int | None = Field(default=None, ge=1)
    daily_tokens: int = Field(default=20_000, ge=1)

    @property
    def dearest(self) -> int:
        """Return the tokens that one ask may cost at most: no token is less than a byte."""
        return len(self.text.encode()) + 1


class EmbeddingsProbe:
    """Asks one model for a vector."""

    def __init__(self, settings: EmbeddingsSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._tokens = DailyTokens(
            clock, model=settings.model, cap=settings.daily_tokens, dearest=settings.dearest
        )
        body = {"model": settings.model, "input": settings.text}
        self._request = settings.request("/embeddings", user_agent=user_agent, body=body)
        self._labels = operation("embeddings", settings.model)

    async def ask(self) -> Outcome:
        """Ask once, unless the day's tokens are spent: then the model's state is unknown."""
        progress = self.progress = Progress()
        known: list[Measurement] = []
        try:
            self._tokens.take()
            reply = await exchange(self._request, progress, limit=BODY_LIMIT)
            progress.leave()
            known.extend(headroom(reply.headers))
            document = _document(reply)
            known.extend(self._settle(document))
            length = _length(document, self.settings.dimensions)
        except Failure as failure:
            return failed(failure, progress, (*known, self._tokens.spent()))
        took = sum(progress.phases.values())
        said = f"a vector of {length} numbers after {took:.2f} s"
        return Outcome(
            state=State.UP,
            detail="; ".join(filter(None, (said, traced(reply.headers)))),
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                *known,
                Measurement("gen_ai_client_operation_duration_seconds", took, self._labels),
                self._tokens.spent(),
            ),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    def _settle(self, document: Mapping[str, Any]) -> Iterator[Measurement]:
        usage = document.get("usage")
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if isinstance(count, int) and count >= 0:
            self._tokens.settle(count)
            labels = {**self._labels, "gen_ai_token_type": "input"}
            yield Measurement("gen_ai_client_token_usage", float(count), labels)


def _document(reply: Reply) -> Mapping[str, Any]:
    body = decoded(reply, limit=BODY_LIMIT)
    if reply.status != 200:
        raise refusal(reply.status, reply.headers, body)
    if reply.too_large:
        raise Failure(Reason.TOO_LARGE, f"the vector is over {BODY_LIMIT >> 20} MiB")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Failure(Reason.BODY, "the answer is not JSON") from None
    if not isinstance(document, dict):
        raise Failure(Reason.BODY, "the answer is no JSON object")
    return document


def _length(document: Mapping[str, Any], expected: int | None) -> int:
    """Return how long the first vector is; raises Failure where it is none that could be used."""
    data = document.get("data")
    first = data[0] if isinstance(data, list) and data else None
    vector = first.get("embedding") if isinstance(first, dict) else None
    if not isinstance(vector, list) or not vector:
        raise Failure(Reason.EMPTY, "the answer holds no vector")
    if not all(type(one) in (int, float) and math.isfinite(one) for one in vector):
        raise Failure(Reason.BODY, "the vector holds something that is no number")
    if not any(vector):
        raise Failure(Reason.WRONG_ANSWER, "the vector is all zeros", state=State.DEGRADED)
    if expected is not None and len(vector) != expected:
        said = f"the vector has {len(vector)} numbers, not {expected}"
        raise Failure(Reason.WRONG_ANSWER, said, state=State.DEGRADED)
    return len(vector)


def make(settings: EmbeddingsSettings, shared: Context) -> EmbeddingsProbe:
    """Build the probe."""
    return EmbeddingsProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=EmbeddingsSettings,
    make=make,
    cost=lambda settings: Cost(requests=1, tokens=settings.dearest),
    instance=lambda settings: settings.endpoint().shown,
)
