"""What the probes of a database share: where it is, how long it may take, one reading of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, TypeVar

from stewardmon.domain.outcome import Outcome
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.postgres_session import Session, session
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.settings import AfterValidator, Duration, Secret, Settings

PHASES: Final = "stewardmon_pg_duration_seconds"
Found = TypeVar("Found")


def _conninfo(value: Secret) -> Secret:
    parse_conninfo(value.get_secret_value())
    return value


DatabaseUrl = Annotated[Secret, AfterValidator(_conninfo)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings(Settings):
    """Where a database is, and how long a statement may take, and wait for a lock."""

    url: DatabaseUrl
    statement_timeout: Duration = timedelta(seconds=3)
    lock_timeout: Duration = timedelta(milliseconds=500)

    @property
    def parameters(self) -> dict[str, str]:
        """Return what libpq takes; it holds the password."""
        return parse_conninfo(self.url.get_secret_value())


async def read(
    settings: DatabaseSettings,
    progress: Progress,
    ask: Callable[[Session], Awaitable[Found]],
    tell: Callable[[Found], Outcome],
) -> Outcome:
    """Ask in one read-only transaction that is rolled back; then tell what was found."""
    try:
        async with session(
            settings.parameters,
            progress,
            statement_timeout=settings.statement_timeout,
            lock_timeout=settings.lock_timeout,
            read_only=True,
        ) as talk:
            found = await ask(talk)
    except Failure as failure:
        return failed(failure, progress)
    return tell(found)


def failed(failure: Failure, progress: Progress) -> Outcome:
    """Return the outcome of a conversation that came to nothing."""
    return Outcome(
        state=failure.state,
        reason=failure.reason,
        detail=failure.detail,
        phases=progress.cut(),
        measurements=progress.measurements(),
    )
