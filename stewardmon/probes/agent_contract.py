"""The agent_contract probe: what the agent's API promises, tried at its edges.

Bad input is refused and good input is taken; rate-limit headers are sane; a user gets no other
user's receipt. Series: stewardmon_agent_contract_findings{check},
stewardmon_agent_contract_critical{check}, stewardmon_agent_contract_check_possible{check}.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal

from stewardmon.domain import ratelimit
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.agent_question import PATH, TOKENS, nonce, post
from stewardmon.probes.postgres_reader import DatabaseUrl
from stewardmon.probes.postgres_session import session as database_session
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.probes.rest import Answer, failed, summed
from stewardmon.probes.steward import Account, Session, SignIn, StewardApp, Unknown
from stewardmon.settings import AfterValidator, Field, Secret

Check = Literal["input", "limits", "access", "burst"]
USUAL: Final[tuple[Check, ...]] = ("input", "limits", "access")
LONGEST: Final = 1000  # characters of a query, by the guide's schema
_OBJECT: Final = 'SELECT id::text AS id FROM receipts WHERE "userId" = %(user)s::uuid LIMIT 1'


def _template(value: str) -> str:
    if not value.startswith("/") or value.count("{id}") != 1:
        raise ValueError("a path with {id} once in it, such as /api/receipts/{id}")
    parse_url("http://host" + value.replace("{id}", "0"))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSettings(StewardApp):
    """What is tried; `burst`, which uses the limit up, runs only where `checks` names it.

    `access` needs a second user (`other_email`, `other_password`) and the database, to know an
    object of theirs. `limit` is how many questions a minute the app allows a user.
    """

    checks: tuple[Check, ...] = USUAL
    other_email: str | None = None
    other_password: Secret | None = None
    database: DatabaseUrl | None = None
    object_path: Annotated[str, AfterValidator(_template)] = "/api/receipts/{id}"
    limit: int = Field(default=10, ge=1, le=1000)

    @property
    def other(self) -> Account | None:
        """Return the second user, None where none is written."""
        if not self.other_email or self.other_password is None:
            return None
        return Account(email=self.other_email, password=self.other_password)


@dataclass(slots=True)
class _Found:
    """What the checks have brought so far."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    critical: dict[str, int] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Weak:
    text: str
    critical: bool = False


class ContractProbe:
    """Tries one app's agent at its edges."""

    def __init__(self, settings: ContractSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._client = settings.client(user_agent)
        client = self._client
        self._user = SignIn(settings, settings.account, clock=clock, client=client)
        self._other = SignIn(settings, settings.other, clock=clock, client=client)
        self._answers: list[Answer] = []

    async def ask(self) -> Outcome:
        """Ask once; without a session nothing can be tried."""
        progress = self.progress = Progress()
        self._answers = []
        found = _Found()
        try:
            session = await self._user.session(progress)
            for check in self.settings.checks:
                await self._run(check, session, found)
        except Failure as failure:
            return failed(failure, progress)
        return _outcome(found, self.settings.checks, progress)

    async def close(self) -> None:
        """Nothing is kept between asks but the sessions, which end by themselves."""

    async def _run(self, check: Check, session: Session, found: _Found) -> None:
        """Run one check; one that cannot be made leaves the others as they are. Raises Failure."""
        try:
            weak = [one async for one in _CHECKS[check](self, session)]
        except Failure as failure:
            if failure.state is State.DOWN:
                raise
            found.unseen[check] = failure.detail
            return
        found.lines[check] = [one.text for one in weak]
        found.critical[check] = sum(one.critical for one in weak)

    async def _post(self, body: object, session: Session) -> Answer:
        answer = await post(self._client, self.settings.url, body, self.progress, session=session)
        if answer.status in (401, 403):
            self._user.forget()
            detail = f"{answer.where} answered {answer.status} to a good session"
            raise Failure(Reason.AUTH, detail, state=State.MISCONFIGURED)
        self._answers.append(answer)
        return answer

    async def _input(self, session: Session) -> AsyncIterator[_Weak]:
        """Send what must be refused, and the longest that must not be."""
        bad = {
            "an empty query": {"query": ""},
            f"{LONGEST + 1} characters": {"query": _padded(LONGEST + 1)},
            "a number for a query": {"query": 5},
            "broken JSON": b'{"query": ',
        }
        for what, body in bad.items():
            answer = await self._post(body, session)
            if answer.status == 429:
                raise Unknown("the limit was reached while input was tried")
            if answer.status != 400:
                yield _Weak(f"{what} is answered with {answer.status}, expected 400")
        answer = await self._post({"query": _padded(LONGEST)}, session)
        if answer.status in (400, 413, 414, 422):
            yield _Weak(f"{LONGEST} characters are refused with {answer.status}")

    async def _limits(self, session: Session) -> AsyncIterator[_Weak]:
        """Read the rate-limit headers of what was answered, or of two refusals made for it."""
        while len(self._answers) < 2:
            await self._post({"query": ""}, session)
        now = self._clock.now()
        told = [one for one in self._answers if ratelimit.allowances(one.headers, now=now)]
        refused = [one for one in self._answers if one.status == 429]
        if not told and not refused:
            raise Unknown("no answer holds a rate-limit header")
        for text in dict.fromkeys(_sayings(self._answers, now=now)):
            yield _Weak(text)

    async def _access(self, session: Session) -> AsyncIterator[_Weak]:
        """Fetch an object of the other user, as them and as ours."""
        other, ident = await self._others_object()
        own = await self._get(ident, other)
        if own.status != 200:
            raise Unknown(f"its owner is answered {own.status} for {self.settings.object_path}")
        answer = await self._get(ident, session)
        if answer.status not in (403, 404):
            text = f"a user asks for another's {self.settings.object_path}: {answer.status}"
            yield _Weak(text, critical=200 <= answer.status < 300)

    async def _others_object(self) -> tuple[Session, str]:
        settings = self.settings
        if settings.other is None:
            raise Unknown("write other_email and other_password of a second user")
        if settings.database is None:
            raise Unknown("write database, to find an object of the second user")
        other = await self._other.session(self.progress)
        parameters = parse_conninfo(settings.database.get_secret_value())
        try:
            async with database_session(parameters, Progress(), read_only=True) as talk:
                row = await talk.row(_OBJECT, {"user": other.user})
        except Failure as failure:
            raise Unknown(f"no object of the second user is known: {failure.detail}") from None
        if not row:
            raise Unknown("the second user has no receipt")
        return other, str(row["id"])

    async def _get(self, ident: str, session: Session) -> Answer:
        return await self._client.ask(
            self.settings.url + self.settings.object_path.replace("{id}", ident),
            self.progress,
            headers={"Cookie": session.header},
        )

    async def _burst(self, session: Session) -> AsyncIterator[_Weak]:
        """Use the limit up with queries that cost nothing: 429 comes before 400."""
        answers: list[Answer] = []
        for _ in range(self.settings.limit + 1):
            answers.append(await self._post({"query": ""}, session))
            if answers[-1].status == 429:
                break
        if answers[-1].status != 429:
            yield _Weak(f"{len(answers)} questions within a minute were all let through")
        else:
            for text in ratelimit.complaints(
                answers[-1].headers, status=429, now=self._clock.now()
            ):
                yield _Weak(text)


def _padded(length: int) -> str:
    text = f"{nonce()} How much did I spend last month? "
    return text + "." * (length - len(text))


def _sayings(answers: list[Answer], *, now: datetime) -> Iterator[str]:
    for answer in answers:
        yield from ratelimit.complaints(answer.headers, status=answer.status, now=now)
    for before, after in itertools.pairwise(answers):
        text = ratelimit.falling(before.headers, after.headers, now=now)
        if text:
            yield text


def _outcome(found: _Found, checks: tuple[Check, ...], progress: Progress) -> Outcome:
    lines = tuple(f"{check}: {text}" for check, texts in found.lines.items() for text in texts)
    unseen = tuple(f"{check} was not seen: {why}" for check, why in found.unseen.items())
    progress.leave()
    measurements = (*progress.measurements(), *_measured(found, checks))
    if any(found.critical.values()):
        state, reason = State.DOWN, Reason.EXPOSED
    elif lines:
        state, reason = State.DEGRADED, Reason.FINDING
    elif not found.lines:
        state, reason = State.UNKNOWN, Reason.SETUP
    else:
        state, reason = State.UP, Reason.OK
    kept = f"{', '.join(found.lines)} as promised" if found.lines else ""
    return Outcome(
        state=state,
        reason=reason,
        detail=summed(lines) or kept or summed(unseen),
        phases=progress.phases,
        measurements=measurements,
        findings=(*lines, *unseen),
    )


def _measured(found: _Found, checks: tuple[Check, ...]) -> Iterator[Measurement]:
    for check in checks:
        label = {"check": check}
        seen = check in found.lines
        yield Measurement("stewardmon_agent_contract_check_possible", float(seen), label)
        if seen:
            count, critical = len(found.lines[check]), found.critical[check]
            yield Measurement("stewardmon_agent_contract_findings", float(count), label)
            yield Measurement("stewardmon_agent_contract_critical", float(critical), label)


_CHECKS: Final[Mapping[str, Callable[[ContractProbe, Session], AsyncIterator[_Weak]]]] = {
    "input": ContractProbe._input,  # noqa: SLF001 - the class's own table of its checks
    "limits": ContractProbe._limits,  # noqa: SLF001
    "access": ContractProbe._access,  # noqa: SLF001
    "burst": ContractProbe._burst,  # noqa: SLF001
}


def make(settings: ContractSettings, shared: Context) -> ContractProbe:
    """Build the probe."""
    return ContractProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


def _cost(settings: ContractSettings) -> Cost:
    checks = settings.checks
    questions = 5 * ("input" in checks) or 2 * ("limits" in checks)
    questions += (settings.limit + 1) * ("burst" in checks)
    access = "access" in checks and settings.other is not None
    return Cost(
        requests=questions + 2 * access,
        ai_queries=questions,  # refused ones count against the limit too
        tokens=TOKENS * ("input" in checks),
        connections=int(access and settings.database is not None),
    )


KIND: Final = Kind(
    settings=ContractSettings,
    make=make,
    cost=_cost,
    instance=lambda settings: parse_url(settings.url + PATH).shown,
)
