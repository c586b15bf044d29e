"""The security probe: what a stranger can see from outside, as a score-card from 100 down.

Series: stewardmon_security_score, stewardmon_security_findings{check},
stewardmon_security_critical{check}, stewardmon_security_check_possible{check}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.posture import Card, Weakness, merged
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.rest import Client, failed, summed
from stewardmon.probes.security_checks import CHECKS, NOISY, Site
from stewardmon.settings import AfterValidator, Field, FilePath, Settings

Check = Literal["headers", "tls", "cors", "errors", "auth", "debug", "scripts", "cookies", "burst"]
USUAL: Final[tuple[Check, ...]] = (
    "headers",
    "tls",
    "cors",
    "errors",
    "auth",
    "debug",
    "scripts",
    "cookies",
)
_SCRIPTS: Final = 5 * 1024 * 1024  # bytes of one script that are read


def _base(value: str) -> str:
    parse_url(value)
    return value.rstrip("/")


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("a path starts with a slash")
    parse_url("http://host" + value)
    return value


Path = Annotated[str, AfterValidator(_path)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings(Settings):
    """The app, its paths that ask for a session, and those that must not be there at all.

    `burst`, which sends more requests than the app allows, runs only where `checks` names it.
    A score below `min_score` is a finding; what lets strangers in is one at any score.
    """

    url: Annotated[str, AfterValidator(_base)]
    checks: tuple[Check, ...] = USUAL
    protected: tuple[Path, ...] = Field(default=("/api/monitoring/agent-metrics",), max_length=10)
    protected_posts: tuple[Path, ...] = Field(default=("/api/agent/query",), max_length=10)
    forbidden: tuple[Path, ...] = Field(
        default=(
            "/api/debug",
            "/api/debug/receipts",
            "/api/auth/test",
            "/api/test-openai",
            "/api/test-db",
            "/.env",
            "/.git/config",
        ),
        max_length=20,
    )
    cookie: str = Field(default="sb-project-auth-token", pattern=r"^[\w.-]{1,100}$")
    pages: tuple[Path, ...] = Field(default=("/login",), max_length=5)
    min_score: int = Field(default=70, ge=0, le=100)
    burst: int = Field(default=120, ge=2, le=1000)
    verify: bool | FilePath = True


class SecurityProbe:
    """Looks at one app as a stranger does."""

    def __init__(self, settings: SecuritySettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._client = Client(user_agent=user_agent, verify=settings.verify, limit=_SCRIPTS)

    async def ask(self) -> Outcome:
        """Ask once; the app's being down says nothing of its security, and is said."""
        progress = self.progress = Progress()
        try:
            card = await self.card(progress)
        except Failure as failure:
            return failed(failure, progress)
        lines = tuple(f"{one.text} (−{one.points})" for one in card.weaknesses)
        unseen = tuple(f"{check} was not seen: {why}" for check, why in card.unseen.items())
        if card.critical:
            state, reason = State.DOWN, Reason.EXPOSED
        elif card.score < self.settings.min_score:
            state, reason = State.DEGRADED, Reason.FINDING
        else:
            state, reason = State.UP, Reason.OK
        return Outcome(
            state=state,
            reason=reason,
            detail=f"{card.score} of 100 points{f': {summed(lines)}' if lines else ''}",
            phases=progress.phases,
            measurements=(*progress.measurements(), *_measured(card)),
            findings=(*lines, *unseen),
        )

    async def card(self, progress: Progress) -> Card:
        """Return the score-card; raises Failure where the app's front page does not answer."""
        settings = self.settings
        site = Site(settings, self._client, progress, self._clock.now())
        await site.get("/")
        found: list[Weakness] = []
        unseen: dict[str, str] = {}
        for check in settings.checks:
            try:
                async for weakness in CHECKS[check](site):
                    found.append(weakness)  # noqa: PERF401 - what was found before a failure stays
            except Failure as failure:
                unseen[check] = failure.detail
        return Card(weaknesses=merged(found), unseen=unseen, checks=settings.checks)

    async def close(self) -> None:
        """Nothing is kept between asks."""


def _measured(card: Card) -> Iterator[Measurement]:
    if not card.unseen:
        yield Measurement("stewardmon_security_score", float(card.score))
    for check in card.checks:
        label = {"check": check}
        seen, found = check not in card.unseen, card.of(check)
        yield Measurement("stewardmon_security_check_possible", float(seen), label)
        if seen or found:
            critical = sum(one.critical for one in found)
            yield Measurement("stewardmon_security_findings", float(len(found)), label)
            yield Measurement("stewardmon_security_critical", float(critical), label)


def make(settings: SecuritySettings, shared: Context) -> SecurityProbe:
    """Build the probe."""
    return SecurityProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


def _cost(settings: SecuritySettings) -> Cost:
    guarded = len(settings.protected) + len(settings.protected_posts)
    noisy = settings.burst if NOISY & set(settings.checks) else 0
    return Cost(requests=20 + 3 * guarded + len(settings.forbidden) + noisy)


KIND: Final = Kind(
    settings=SecuritySettings,
    make=make,
    cost=_cost,
    instance=lambda settings: parse_url(settings.url).shown,
)
