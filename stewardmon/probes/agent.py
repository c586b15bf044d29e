"""The agent probe: the question that a user asks, asked as the synthetic user, and its answer.

Series: stewardmon_agent_answered{mode}, stewardmon_agent_answer_seconds{mode},
stewardmon_agent_first_line_seconds, stewardmon_agent_stream_live,
stewardmon_agent_amount_right, stewardmon_agent_amount_off, stewardmon_agent_stranger_refused,
stewardmon_agent_signed_in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Literal

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import context
from stewardmon.network.endpoint import Endpoint, parse_url
from stewardmon.network.exchange import request, streaming
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes import agent_amount
from stewardmon.probes.agent_answer import STREAM_LIMIT, Lines, message_of
from stewardmon.probes.agent_question import JSON, PATH, TOKENS, nonce, post, put
from stewardmon.probes.expect import Path
from stewardmon.probes.jsonpath import parse_path
from stewardmon.probes.postgres_reader import DatabaseUrl
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.probes.rest import Answer, failed
from stewardmon.probes.steward import Session, SignIn, StewardApp, refused
from stewardmon.settings import Field

_ANSWERED: Final = "stewardmon_agent_answered"
_SIGNED_IN: Final = "stewardmon_agent_signed_in"
_STRANGER: Final = "stewardmon_agent_stranger_refused"
_AMOUNT: Final = parse_path("data.totalSpent")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings(StewardApp):
    """Which question, in which of the agent's two modes, and where SQL knows the right amount.

    The question must be about last month's spending where `database` is given; `amount` is where
    the answer holds it. `stranger: false` leaves out the request without a session.
    """

    query: str = Field(default="How much did I spend last month?", min_length=1, max_length=900)
    mode: Literal["json", "stream"] = "json"
    database: DatabaseUrl | None = None
    amount: Path = _AMOUNT
    stranger: bool = True


class AgentProbe:
    """Asks the agent one question."""

    def __init__(self, settings: AgentSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._user_agent = user_agent
        self._client = settings.client(user_agent)
        self._sign_in = SignIn(settings, settings.account, clock=clock, client=self._client)
        self._mode = {"mode": settings.mode}

    async def ask(self) -> Outcome:
        """Ask once: a stranger's question first, then the synthetic user's."""
        self.progress = Progress()
        try:
            if self.settings.stranger:
                await self._stranger()
            session = await self._session()
            told, findings = await self._answer(session)
            findings += await self._amount(told, session.user)
        except Failure as failure:
            return failed(failure, self.progress)
        progress = self.progress
        if findings:
            worst = min(findings, key=lambda one: one.state is not State.DOWN)
            return failed(worst, progress, findings=tuple(one.detail for one in findings))
        return Outcome(
            state=State.UP,
            detail=f'"{excerpt(message_of(told), 80)}"',
            phases=progress.phases,
            measurements=progress.measurements(),
        )

    async def close(self) -> None:
        """Nothing is kept between asks but the session, which ends by itself."""

    async def _stranger(self) -> None:
        """Ask without a session: anything but a refusal lets strangers in. Raises Failure."""
        self.progress = Progress(Measurement(_ANSWERED, 0.0, self._mode))
        body = {"query": self.settings.query}
        answer = await post(self._client, self.settings.url, body, self.progress)
        if answer.status in (401, 403):
            self.progress = Progress(Measurement(_STRANGER, 1.0))
        elif 200 <= answer.status < 300 or answer.status == 400:
            self.progress = Progress(Measurement(_STRANGER, 0.0))
            how = "answered" if answer.status != 400 else "read before it is refused"
            detail = f"a question without a session is {how}: {answer.where} says {answer.status}"
            raise Failure(Reason.EXPOSED, detail)
        else:
            failure = refused(answer)
            if failure.state is not State.DOWN:
                self.progress.unsay(_ANSWERED)
            if failure.reason is not Reason.RATE_LIMIT:  # which refuses a stranger too
                raise failure

    async def _session(self) -> Session:
        """Return the synthetic user's session; raises Failure."""
        self.progress.note(Measurement(_SIGNED_IN, 0.0))
        try:
            session = await self._sign_in.session(self.progress)
        except Failure as failure:
            if failure.state is not State.DOWN:  # our own doing: it says nothing of the service
                self.progress.unsay(_SIGNED_IN)
            raise
        self.progress.note(Measurement(_SIGNED_IN, 1.0))
        return session

    async def _answer(self, session: Session) -> tuple[Mapping[str, Any], list[Failure]]:
        """Return the answer, signing in anew once where the app refuses the session."""
        try:
            return await self._asked(session)
        except Failure as failure:
            if failure.reason is not Reason.AUTH:
                raise
        self._sign_in.forget()
        return await self._asked(await self._session())

    async def _asked(self, session: Session) -> tuple[Mapping[str, Any], list[Failure]]:
        """Ask as the user: the answer, and what is wrong with how it came; raises Failure."""
        # Phases begin anew: they are to be those of the question.
        self.progress = Progress(*self.progress.known, Measurement(_ANSWERED, 0.0, self._mode))
        query = f"{nonce()} {self.settings.query}"
        lines = Lines(self._endpoint.shown)
        started = perf_counter()
        try:
            if self.settings.mode == "stream":
                told = await self._streamed(session, {"query": query, "streaming": True}, lines)
            else:
                url = self.settings.url
                told = await put(self._client, url, query, self.progress, session=session)
        except Failure as failure:
            if failure.state is not State.DOWN:
                self.progress.unsay(_ANSWERED)
            self.progress.note(*_timed(lines, started))
            raise
        took = perf_counter() - started
        self.progress.note(
            Measurement(_ANSWERED, 1.0, self._mode),
            Measurement("stewardmon_agent_answer_seconds", took, self._mode),
            *_timed(lines, started),
        )
        return told, list(_oddities(told, lines))

    async def _streamed(
        self, session: Session, body: Mapping[str, Any], lines: Lines
    ) -> Mapping[str, Any]:
        endpoint = self._endpoint
        asked = request(
            endpoint,
            method="POST",
            headers={**JSON, "Cookie": session.header},
            body=orjson.dumps(body),
            tls=context(self.settings.verify) if endpoint.secure else None,
            user_agent=self._user_agent,
        )
        async with streaming(asked, self.progress, limit=STREAM_LIMIT) as wire:
            await wire.head()
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in wire.headers
            }
            if wire.status != 200:
                body_ = await wire.body()
                raise refused(
                    Answer(where=endpoint.shown, status=wire.status, headers=headers, body=body_)
                )
            if "application/json" in headers.get("content-type", "").lower():
                detail = f"{endpoint.shown} was asked for a stream and answered whole"
                raise Failure(Reason.BODY, detail, state=State.DEGRADED)
            return await lines.read(wire)

    async def _amount(self, told: Mapping[str, Any], user: str) -> list[Failure]:
        """Return what is wrong with the amount; a database that fails is a database's matter."""
        database = self.settings.database
        if database is None or not user:
            return []
        amounts = agent_amount.named(told, self.settings.amount)
        try:
            wanted, receipts = await agent_amount.expected(
                parse_conninfo(database.get_secret_value()), user, at=self._clock.now()
            )
        except Failure:
            return []
        wrong = agent_amount.complaint(amounts, wanted, receipts)
        self.progress.note(Measurement("stewardmon_agent_amount_right", float(not wrong)))
        off = agent_amount.off_by(amounts, wanted)
        if off is not None:
            self.progress.note(Measurement("stewardmon_agent_amount_off", off))
        return [Failure(Reason.WRONG_ANSWER, wrong)] if wrong else []

    @property
    def _endpoint(self) -> Endpoint:
        return parse_url(self.settings.url + PATH)


def _oddities(told: Mapping[str, Any], lines: Lines) -> Iterator[Failure]:
    if told.get("cached") is True:
        detail = "a question that nobody has asked before is answered from a cache"
        yield Failure(Reason.CACHED, detail, state=State.DEGRADED)
    if lines.buffered:
        detail = f"all {lines.count} lines of the stream came at once, at its end"
        yield Failure(Reason.SLOW, detail, state=State.DEGRADED)


def _timed(lines: Lines, started: float) -> Iterator[Measurement]:
    if lines.count:
        first = lines.first_at - started
        yield Measurement("stewardmon_agent_first_line_seconds", first)
        yield Measurement("stewardmon_agent_stream_live", float(not lines.buffered))


def make(settings: AgentSettings, shared: Context) -> AgentProbe:
    """Build the probe."""
    return AgentProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


def _cost(settings: AgentSettings) -> Cost:
    return Cost(
        requests=1 + settings.stranger,
        ai_queries=1,
        tokens=TOKENS,
        connections=int(settings.database is not None),
    )


KIND: Final = Kind(
    settings=AgentSettings,
    make=make,
    cost=_cost,
    instance=lambda settings: parse_url(settings.url + PATH).shown,
)
