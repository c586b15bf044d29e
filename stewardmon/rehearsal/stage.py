"""The daemon's own decisions on a stage: real rules, alerts, incidents and levels, no world.

Time is whatever the caller says, nobody is called, and what would have been said is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from stewardmon.clock import from_milliseconds
from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.maintenance import Maintenance
from stewardmon.domain.notification import Delivery
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.triage import Book
from stewardmon.engine.evaluator import Evaluator
from stewardmon.engine.knowledge import knowledge
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.mutes import MuteRules, Mutes
from stewardmon.engine.responder import Responder
from stewardmon.engine.running import Running, RunningGroup, RunningRule
from stewardmon.stores.memory import MemoryStore

FOREVER_MS: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """Somebody who would have been asked to act."""

    at: datetime
    level: int
    role: str
    person: str
    event: str
    title: str
    rule: str


class Stage:
    """One rehearsal: feed samples, evaluate at instants in order, read who was paged."""

    def __init__(
        self,
        groups: list[RunningGroup],
        *,
        book: Book | None = None,
        inhibit_rules: Sequence[InhibitRule] = (),
        windows: Sequence[Maintenance] = (),
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        series: SeriesStore | None = None,
    ) -> None:
        self.series = series or SeriesStore(retention_ms=FOREVER_MS)
        self.evaluator = Evaluator(
            groups,
            self.series,
            external_labels=external_labels,
            external_url=external_url,
        )
        self.errors: dict[str, str] = {}
        self.changed: list[tuple[datetime, Alert]] = []
        self._kept = _Kept()
        self._ticked_ms = 0
        self.mutes = mutes = Mutes(self.series, dict)
        book = book or Book()
        rules = self.evaluator.rules()
        causes = knowledge(rules, (), inhibit_rules, book.routes)
        mutes.change(MuteRules(knowledge=causes, windows=tuple(windows)))
        self._responder = Responder(ledger=Ledger(self._kept), book=book, muting=mutes)

    @property
    def paged(self) -> list[Paged]:
        """Return who would have been paged so far, in order."""
        return self._kept.paged

    def firing(self, name: str) -> list[Alert]:
        """Return the firing alerts of one name."""
        return [
            alert
            for running in self.evaluator.rules()
            if running.rule.name == name
            for alert in running.active.values()
            if alert.state.value == "firing"
        ]

    def rests(self, at_ms: int) -> bool:
        """Say whether nothing would happen at the instant by itself: nothing fires, or is due."""
        if self._responder.firing:
            return False
        due = self._responder.next_step_at()
        return due is None or due > from_milliseconds(at_ms)

    async def pass_by(self, at_ms: int) -> None:
        """Let pass the time until the instant, in which nothing was evaluated."""
        if at_ms > self._ticked_ms:
            await self._tick(at_ms)

    async def evaluate(self, at_ms: int, rules: Iterable[Running]) -> None:
        """Evaluate rules at an instant, and let people be paged."""
        changed: list[Alert] = []
        dropped: list[Alert] = []
        for running in rules:
            found = self.evaluator.evaluate(running, at_ms)
            changed += found.changed
            dropped += found.dropped
            if running.error:
                self.errors.setdefault(running.rule.name, running.error)
        now = from_milliseconds(at_ms)
        self.changed += [(now, alert) for alert in changed]
        await self.until(now)
        if changed or dropped:
            await self._responder.report(changed, now=now, forgotten=dropped)
        await self._tick(at_ms)

    async def _tick(self, at_ms: int) -> None:
        self._ticked_ms = at_ms
        await self._responder.tick(now=from_milliseconds(at_ms))

    async def until(self, now: datetime) -> None:
        """Let every step of the matrix that falls due by `now` be taken at its own time."""
        while (at := self._responder.next_step_at()) is not None and at < now:
            await self._responder.tick(now=at)
            if self._responder.next_step_at() == at:
                return  # it rests: taking the step again would change nothing

    def rules(self) -> list[RunningRule]:
        """Return the alerting rules in order."""
        return self.evaluator.rules()


class _Kept(MemoryStore):
    """A store that writes down whom each change would have paged, and sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.paged: list[Paged] = []

    async def commit(self, change: Change) -> None:
        self.paged += [_paged(row) for row in change.deliveries if row.pages]
        await super().commit(replace(change, deliveries=()))


def _paged(row: Delivery) -> Paged:
    told = row.notification
    return Paged(
        at=row.created_at,
        level=row.level,
        role=told.role,
        person=row.person,
        event=row.event.value,
        title=told.title,
        rule=told.common_labels.value("alertname") or told.title,
    )
