"""The postgres_depth probe: everything a specialist would look at, on a slower beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.postgres_checks import CHECKS
from stewardmon.probes.postgres_checks.check import CheckSettings, Found
from stewardmon.probes.postgres_evidence import testify
from stewardmon.probes.postgres_reader import PHASES, DatabaseSettings, read
from stewardmon.probes.postgres_session import Session
from stewardmon.probes.postgres_url import shown
from stewardmon.settings import AfterValidator

# What one check meets without it saying anything of the others.
_CHECKS_OWN: Final = frozenset(
    {Reason.PERMISSION, Reason.MISSING, Reason.QUERY, Reason.SLOW, Reason.READ_ONLY}
)
_SHOWN: Final = 20


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSettings(CheckSettings, DatabaseSettings):
    """Which database, and which of the checks; all of them where none is named."""

    checks: Annotated[tuple[str, ...], AfterValidator(_known)] = tuple(CHECKS)


class DepthProbe:
    """Runs the checks one after the other, in one read-only transaction."""

    def __init__(self, settings: DepthSettings) -> None:
        self.settings = settings
        self.progress = Progress(series=PHASES)

    async def ask(self) -> Outcome:
        """Ask once: degraded where something was found, up where nothing was."""
        progress = self.progress = Progress(series=PHASES)
        return await read(
            self.settings, progress, self._checked, lambda found: _outcome(found, progress)
        )

    async def testify(self, topic: str) -> tuple[str, ...]:
        """Return what the database says of itself now, for a page."""
        return await testify(self.settings.parameters, topic)

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _checked(self, talk: Session) -> dict[str, Found | Failure]:
        return {name: await self._check(talk, name) for name in self.settings.checks}

    async def _check(self, talk: Session, name: str) -> Found | Failure:
        """Return what one check found; its failure leaves the others their transaction."""
        await talk.rows("SAVEPOINT one_check")
        try:
            found = await CHECKS[name](talk, self.settings)
        except Failure as failure:
            if failure.reason not in _CHECKS_OWN:
                raise
            await talk.rows("ROLLBACK TO SAVEPOINT one_check")
            return failure
        await talk.rows("RELEASE SAVEPOINT one_check")
        return found


def _outcome(found: dict[str, Found | Failure], progress: Progress) -> Outcome:
    measurements: list[Measurement] = list(progress.measurements())
    findings: list[str] = []
    unseen: list[str] = []
    for name, result in found.items():
        seen = isinstance(result, Found) and not result.absent
        measurements.append(
            Measurement("stewardmon_pg_check_possible", float(seen), {"check": name})
        )
        if isinstance(result, Failure):
            unseen.append(f"{name} could not be checked: {result.detail}")
        elif result.absent:
            unseen.append(f"{name} was not checked: {result.absent}")
        else:
            measurements.extend(result.measurements)
            findings.extend(result.findings)
    # A check that may not be made is as much a finding as what it would find.
    refused = [one for one in found.values() if isinstance(one, Failure)]
    if findings:
        state, reason, detail = State.DEGRADED, Reason.FINDING, _first(findings)
    elif refused:
        state, reason, detail = State.DEGRADED, refused[0].reason, _first(unseen)
    else:
        state, reason, detail = State.UP, Reason.OK, f"{len(found)} checks found nothing"
    return Outcome(
        state=state,
        reason=reason,
        detail=detail,
        phases=progress.phases,
        measurements=tuple(measurements),
        findings=(*findings, *unseen)[:_SHOWN],
    )


def _first(lines: Iterable[str]) -> str:
    first, *rest = lines
    return f"{first}, and {len(rest)} more" if rest else first


def make(settings: DepthSettings, _shared: Context) -> DepthProbe:
    """Build the probe."""
    return DepthProbe(settings)


def _instance(settings: Any) -> str:
    return shown(settings.parameters)


KIND: Final = Kind(
    settings=DepthSettings, make=make, cost=lambda _: Cost(connections=1), instance=_instance
)
