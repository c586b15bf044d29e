"""Deploys as they were told to us: kept, shown on charts, and written into what is open then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from stewardmon.clock import milliseconds
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.step import Step
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.record import Tape
from stewardmon.engine.responder import Responder
from stewardmon.errors import StewardmonError

AT_MOST: Final = 500
KEPT_FOR: Final = timedelta(days=400)  # as long as history's roll-ups
JOB: Final = "deploy"


class DeployError(StewardmonError):
    """A deploy that cannot be read, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """One deploy: which version, when, by whom, and what was said of it."""

    id: str
    version: str
    at: datetime
    by: str = ""
    note: str = ""

    def described(self) -> str:
        """Return it as a line of a timeline."""
        note = f": {self.note}" if self.note else ""
        return f"version {self.version} was deployed{note}"


class Deploys:
    """Takes the markers that pipelines send; each is durable before its sender is answered."""

    def __init__(self, ledger: Ledger, responder: Responder, tape: Tape) -> None:
        self._responder = responder
        self._tape = tape
        self._kept: Kept[Deploy] = Kept(
            "deploy", ledger, write=_record_of, read=_from_record, changed=lambda _: None
        )

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process kept."""
        self._kept.restore(records)

    def listed(self) -> tuple[Deploy, ...]:
        """Return the deploys that are remembered, oldest first."""
        return tuple(sorted(self._kept.values.values(), key=lambda one: (one.at, one.id)))

    async def mark(self, version: str, *, by: str, note: str, now: datetime) -> Deploy:
        """Take a marker: kept, one sample of a series, and a line in what is open."""
        deploy = Deploy(id=str(uuid4()), version=version, at=now, by=by, note=note)
        await self._kept.put({deploy.id: deploy})
        newest = {one.id for one in self.listed()[-AT_MOST:] if now - one.at <= KEPT_FOR}
        await self._kept.drop(set(self._kept.values) - newest)
        labels = {NAME: "stewardmon_deployment_info", "job": JOB, "version": version}
        self._tape.append(Labels(labels), milliseconds(now), 1.0)
        for incident in self._responder.open():
            await self._responder.answer(incident.id, _telling(deploy), now=now)
        return deploy


def _telling(deploy: Deploy) -> Callable[[Incident], Step]:
    def step(incident: Incident) -> Step:
        who = deploy.by or "stewardmon"
        detail = deploy.described()
        event = Event(
            incident=incident.id, at=deploy.at, kind=EventKind.DEPLOY, who=who, detail=detail
        )
        return Step(incident=incident, events=(event,))

    return step


def _record_of(deploy: Deploy) -> Mapping[str, object]:
    return {
        "version": deploy.version,
        "at": deploy.at.isoformat(),
        "by": deploy.by,
        "note": deploy.note,
    }


def _from_record(ident: str, record: Mapping[str, Any]) -> Deploy:
    try:
        return Deploy(
            id=ident,
            version=str(record["version"]),
            at=datetime.fromisoformat(record["at"]).astimezone(UTC),
            by=str(record.get("by", "")),
            note=str(record.get("note", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DeployError(f"the state holds a deploy that cannot be read: {error}") from None
