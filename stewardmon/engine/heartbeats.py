"""What jobs pushed, kept in the state: the last sign of each survives a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain import heartbeat
from stewardmon.domain.heartbeat import Pulse, Push
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger

WRITTEN_AT_MOST_EVERY: Final = timedelta(seconds=1)  # a job that pings in a loop costs no disk


class Heartbeats:
    """Takes pushes: a sign is on disk before its sender is answered."""

    def __init__(self, ledger: Ledger) -> None:
        self._kept: Kept[Pulse] = Kept(
            "heartbeat",
            ledger,
            write=heartbeat.record_of,
            read=heartbeat.from_record,
            changed=lambda _: None,
        )
        self._written: dict[str, tuple[Push, datetime]] = {}

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process kept."""
        self._kept.restore(records)

    def pulse(self, name: str) -> Pulse | None:
        """Return the last signs of a job, None where it is not expected."""
        return self._kept.values.get(name)

    async def expect(self, names: Iterable[str], *, now: datetime) -> None:
        """Wait for these jobs from now on, unless they are known; forget the others."""
        wanted = set(names)
        known = self._kept.values
        await self._kept.drop(set(known) - wanted)
        fresh = {name: Pulse(since=now) for name in sorted(wanted - set(known))}
        if fresh:
            await self._kept.put(fresh)

    async def push(
        self,
        name: str,
        push: Push,
        *,
        now: datetime,
        message: str = "",
        figures: Mapping[str, float],
    ) -> Pulse:
        """Take a sign of a job that is expected; return its pulse."""
        before = self._kept.values.get(name) or Pulse(since=now)
        pulse = heartbeat.advance(before, push, now=now, message=message, figures=figures)
        last, at = self._written.get(name, (None, now))
        if last is push and timedelta(0) <= now - at < WRITTEN_AT_MOST_EVERY:
            self._kept.values[name] = pulse
            return pulse
        self._written[name] = (push, now)
        await self._kept.put({name: pulse})
        return pulse
