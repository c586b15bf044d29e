"""The openai_chat probe: streams that are whole, slow, broken, stalled or too dear."""

from __future__ import annotations

from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.ports import Context
from stewardmon.probes.asking import ask
from stewardmon.probes.openai_chat import KIND
from tests.support.probing import asked, measured, unexpected
from tests.support.servers import Behaviour, answer, hangs, sends, serving

KEY = "sk-proj-0123456789abcdefghijkl"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
CHAT = "gen_ai_operation_name=chat,gen_ai_request_model=tiny"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-request-id: req_9\r\n\r\n"


def chunk(text: str | None = None, finish: str | None = None, **extra: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"choices": choices, **extra}) + b"\n\n"


WHOLE = (
    chunk(""),
    chunk("po"),
    chunk("ng"),
    chunk(finish="stop"),
    b": a comment\r\n\r\n",
    b"data: " + orjson.dumps({"choices": [], "usage": USAGE}) + b"\n\n",
    b"data: [DONE]\n\n",
)


async def ask_of(behaviour: Behaviour, *, timeout: float = 5.0, **settings: Any) -> Outcome:
    async with serving(behaviour) as server:
        return await asked(
            "openai_chat",
            timeout=timeout,
            url=f"{server.url}/v1",
            key=KEY,
            **{"model": "tiny", **settings},
        )


async def test_a_whole_stream_is_up() -> None:
    outcome = await ask_of(sends(STREAM, *WHOLE))
    assert outcome.success, outcome.detail
    assert outcome.detail.startswith('"pong" after 0.')
    assert outcome.detail.endswith("request req_9")
    found = measured(outcome)
    first = found[f"gen_ai_client_operation_time_to_first_chunk_seconds{{{CHAT}}}"]
    whole = found[f"gen_ai_client_operation_duration_seconds{{{CHAT}}}"]
    assert 0 < first < whole < 5
    assert found[f"gen_ai_client_operation_time_per_output_chunk_seconds{{{CHAT}}}"] > 0
    assert found[f"stewardmon_openai_tokens_per_second{{{CHAT}}}"] > 0
    assert found[f"gen_ai_client_token_usage{{{CHAT},gen_ai_token_type=input}}"] == 12
    assert found[f"gen_ai_client_token_usage{{{CHAT},gen_ai_token_type=output}}"] == 3
    assert found["stewardmon_openai_probe_tokens_today{model=tiny}"] == 15


async def test_what_it_asks() -> None:
    bodies: list[bytes] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
        writer.write(STREAM + b"".join(WHOLE))
        await writer.drain()

    outcome = await ask_of(behave, max_tokens=5, prompt="hi")
    assert outcome.success
    assert orjson.loads(bodies[0]) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "max_completion_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("end", range(len(WHOLE)))
async def test_a_stream_that_ends_early_is_incomplete(end: int) -> None:
    outcome = await ask_of(sends(STREAM, *WHOLE[:end]))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.INCOMPLETE)


@pytest.mark.parametrize("cut", range(5, 60, 11))
async def test_a_stream_cut_amid_a_line_is_incomplete(cut: int) -> None:
    whole = b"".join(WHOLE)
    outcome = await ask_of(sends(STREAM, whole[:cut]))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.INCOMPLETE)


async def test_pieces_may_be_cut_anywhere() -> None:
    whole = b"".join(WHOLE)
    outcome = await ask_of(sends(STREAM, *(whole[n : n + 7] for n in range(0, len(whole), 7))))
    assert outcome.success, outcome.detail


async def test_a_stream_that_stalls_times_out_while_it_is_read() -> None:
    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + chunk("po"))
        await writer.drain()
        await hangs(reader, writer)

    outcome = await ask_of(behave, timeout=0.3)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert outcome.detail == "no answer within 0.3 s while reading the answer"


@pytest.mark.parametrize(
    ("pieces", "state", "reason"),
    [
        ([chunk(finish="stop"), WHOLE[5], WHOLE[6]], State.DOWN, Reason.EMPTY),
        ([chunk("x"), WHOLE[5], WHOLE[6]], State.DOWN, Reason.INCOMPLETE),
        ([chunk("x", "stop"), WHOLE[6]], State.DEGRADED, Reason.INCOMPLETE),
        (
            [chunk("x", "content_filter"), WHOLE[5], WHOLE[6]],
            State.DEGRADED,
            Reason.WRONG_ANSWER,
        ),
        ([b"data: <html>\n\n"], State.DOWN, Reason.PROTOCOL),
        ([b"data: []\n\n"], State.DOWN, Reason.PROTOCOL),
        ([b'data: {"choices": {"a": 1}, "usage": 5}\n\n', WHOLE[6]], State.DOWN, Reason.EMPTY),
        ([b'data: {"error": {"message": "oops"}}\n\n'], State.DOWN, Reason.PROVIDER),
        (
            [chunk("x"), b'data: {"error": {"code": "insufficient_quota"}}\n\n'],
            State.DOWN,
            Reason.QUOTA,
        ),
        ([b"data: " + b"x" * 2_000_000], State.DOWN, Reason.TOO_LARGE),
    ],
)
async def test_a_stream_that_is_not_as_it_should_be(
    pieces: list[bytes], state: State, reason: Reason
) -> None:
    outcome = await ask_of(sends(STREAM, *pieces))
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail


async def test_a_server_that_counts_no_tokens() -> None:
    outcome = await ask_of(sends(STREAM, *WHOLE[:4], WHOLE[6]), usage=False)
    assert outcome.success, outcome.detail


async def test_a_refusal_has_its_class() -> None:
    body = orjson.dumps({"error": {"message": f"no {KEY}", "code": "model_not_found"}})
    outcome = await ask_of(sends(answer(404, body)))
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.MODEL)
    assert KEY not in repr(outcome)


class Calendar(SystemClock):
    """A clock whose day is turned by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


async def test_the_days_tokens_are_a_cap_that_midnight_lifts() -> None:
    clock = Calendar()
    async with serving(sends(STREAM, *WHOLE)) as server:
        settings = KIND.settings.model_validate(
            {"url": f"{server.url}/v1", "key": KEY, "model": "tiny", "daily_tokens": 70}
        )
        probe = KIND.make(settings, Context(clock=clock))

        async def reason() -> Reason:
            return (await ask(probe, timeout=5, bug=unexpected)).reason

        # 15 tokens an ask, which may cost up to 48: the third would go beyond 70.
        assert [await reason() for _ in range(3)] == [Reason.OK, Reason.OK, Reason.BUDGET]
        refused = await ask(probe, timeout=5, bug=unexpected)
        assert refused.state is State.UNKNOWN
        assert refused.detail == "30 of 70 tokens of the day are spent"
        assert len(server.requests) == 2
        clock.at += timedelta(hours=12)
        assert await reason() is Reason.OK
