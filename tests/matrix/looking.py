"""Look at the platform with every kind of probe that fits, and keep what they say for a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from stewardmon.clock import SystemClock
from stewardmon.config.loading import load
from stewardmon.config.shipped import shipped
from stewardmon.demo.platform import Platform
from stewardmon.domain.outcome import Measurement, Outcome
from stewardmon.ports import Context, Kind, Probe, ProbeSpec, Witness
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask
from tests.support.probing import unexpected

PROBES: Final = files("stewardmon.demo").joinpath("probes.yml").read_text()
ALERTS: Final = (shipped() / "alerts.yml").read_text()
Looked = Mapping[str, Outcome]

# A replay of one look must not hold still what life renews, nor what grows while a lock is held.
HELD: Final = frozenset({"pg_stat_activity_max_tx_duration", "stewardmon_pg_blocked_max_seconds"})
RENEWED: Final = frozenset({"stewardmon_log_newest_timestamp_seconds"})
# How long something took says more of this machine's load than of most faults.
_TOOK: Final = frozenset(
    {
        "stewardmon_pg_query_duration_seconds",
        "gen_ai_client_operation_duration_seconds",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "stewardmon_agent_answer_seconds",
        "stewardmon_agent_first_line_seconds",
    }
)


class Turned(SystemClock):
    """The clock of the platform and of its probes: a look may turn it ahead, and back again."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the wall-clock time."""
        return super().now() + self.ahead

    def monotonic(self) -> float:
        """Return seconds of the event loop."""
        return super().monotonic() + self.ahead.total_seconds()


CLOCK: Final = Turned()
_CONTEXT: Final = Context(clock=CLOCK, user_agent="stewardmon/test")
_USUAL: Final = 0.05  # seconds
_CUT: Final = 0.7  # seconds that a probe which gets no answer is given


@dataclass(frozen=True, slots=True)
class Watched:
    """The matrix' probes over one platform."""

    specs: tuple[ProbeSpec, ...]
    environ: Mapping[str, str]

    async def look(
        self,
        names: Iterable[str] = (),
        *,
        hangs: Iterable[str] = (),
        slow: bool = False,
        passes: timedelta = timedelta(0),
    ) -> dict[str, Outcome]:
        """Ask all probes at once (or those named); of those that hang, only for a moment.

        Where time `passes`, probes of the cache are asked a second time after it.
        """
        wanted = frozenset(names) or {spec.name for spec in self.specs}
        async with asyncio.TaskGroup() as group:
            tasks = {
                spec.name: group.create_task(self._ask(spec, hangs=spec.name in hangs))
                for spec in self.specs
                if spec.name in wanted
            }
        found = {name: task.result() for name, task in tasks.items()}
        for spec in self.specs if passes else ():
            if spec.name in wanted and spec.kind == "agent_cache":
                found[spec.name] = await self._twice(spec, passes)
        return found if slow else {name: swift(outcome) for name, outcome in found.items()}

    async def hear(self, topic: str) -> dict[str, tuple[str, ...]]:
        """Return what each witness says now of one of the guide's lists."""
        heard = {}
        for spec in self.specs:
            probe: Probe = KINDS[spec.kind].make(spec.settings, _CONTEXT)
            if isinstance(probe, Witness):
                heard[spec.name] = await probe.testify(topic)
            await probe.close()
        return heard

    async def _ask(self, spec: ProbeSpec, *, hangs: bool) -> Outcome:
        limit = _CUT if hangs else spec.timeout.total_seconds()
        # Made anew: what a probe remembers (a session, a question) is of a time before the fault.
        probe: Probe = KINDS[spec.kind].make(spec.settings, _CONTEXT)
        try:
            return await ask(probe, timeout=limit, bug=unexpected)
        finally:
            await probe.close()

    async def _twice(self, spec: ProbeSpec, passes: timedelta) -> Outcome:
        """Return what a probe says that was asked before, so long ago.

        It asks as the other user: the limit by user remembers asks of a time that is not yet, and
        the other's is held against nothing.
        """
        swapped = _as_the_other(spec.settings)
        probe: Probe = KINDS[spec.kind].make(swapped, _CONTEXT)
        limit = spec.timeout.total_seconds()
        try:
            await ask(probe, timeout=limit, bug=unexpected)
            CLOCK.ahead = passes
            return await ask(probe, timeout=limit, bug=unexpected)
        finally:
            CLOCK.ahead = timedelta(0)
            await probe.close()


def _as_the_other(settings: Any) -> Any:
    given = {"email": settings.other_email, "password": settings.other_password}
    return replace(settings, **given, other_email=None, other_password=None)


def watched(platform: Platform) -> Watched:
    """Read the matrix' probes for a running platform."""
    environ = platform.environment()
    with TemporaryDirectory() as folder:
        Path(folder, "probes.yml").write_text(PROBES)
        specs = load(Path(folder), environ).probes
    return Watched(specs, environ)


def swift(outcome: Outcome) -> Outcome:
    """Return the outcome as if it had taken no longer than it should."""
    return replace(
        outcome,
        duration=min(outcome.duration, _USUAL),
        measurements=tuple(
            replace(one, value=min(one.value, _USUAL)) if one.name in _TOOK else one
            for one in outcome.measurements
        ),
    )


class Tape:
    """What the probes say at each moment of a daemon's life: the newest look, a little older.

    `words` is what witnesses say, `after` so many seconds.
    """

    words: Mapping[str, tuple[str, ...]] = {}
    after = 0.0

    def __init__(self, watched: Watched, healthy: Looked) -> None:
        self.watched = watched
        self._shown = dict(healthy)
        self._since = 0.0
        self._ages = RENEWED

    def show(self, looked: Looked, *, ages: frozenset[str] = RENEWED) -> None:
        """Let the probes say this from now on; the numbers named by `ages` grow with time."""
        self._shown.update(looked)
        self._since = asyncio.get_running_loop().time()
        self._ages = ages

    def kinds(self) -> dict[str, Kind]:
        """Return the kinds of probes with their real settings, whose probes read from here."""
        used = {spec.kind for spec in self.watched.specs}
        return {name: replace(KINDS[name], make=self._make) for name in used}

    def says(self, name: str) -> Outcome:
        """Return what one probe says now."""
        outcome = self._shown[name]
        return replace(outcome, measurements=tuple(map(self._aged, outcome.measurements)))

    def _aged(self, one: Measurement) -> Measurement:
        if one.name not in self._ages or not one.value:
            return one
        now = asyncio.get_running_loop().time()
        # All looks are taken at the life's beginning; only a held lock begins with the fault.
        return replace(one, value=one.value + now - (self._since if one.name in HELD else 0.0))

    def _make(self, settings: Any, _context: Any) -> Replay:
        (name,) = (one.name for one in self.watched.specs if one.settings == settings)
        return Witnessing(self, name) if name in self.words else Replay(self, name)


@dataclass(frozen=True, slots=True)
class Replay:
    """A probe that says what the real one said, after as long as that took."""

    tape: Tape
    name: str

    async def ask(self) -> Outcome:
        """Answer from the tape."""
        outcome = self.tape.says(self.name)
        await asyncio.sleep(outcome.duration)  # noqa: TID251 - on virtual time
        return outcome

    async def close(self) -> None:
        """Nothing is kept."""


class Witnessing(Replay):
    """A replay of a probe that knows more when it is asked for a page."""

    async def testify(self, topic: str) -> tuple[str, ...]:
        """Say what the real one said of the list that was asked."""
        await asyncio.sleep(self.tape.after)  # noqa: TID251 - on virtual time
        return self.tape.words[self.name]
