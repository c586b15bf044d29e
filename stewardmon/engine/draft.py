"""One decision being made: incidents as they will be, and the steps that lead there."""

from __future__ import annotations

from collections.abc import Mapping

from stewardmon.domain.incident import Incident
from stewardmon.domain.step import Step


class Draft:
    """Steps that will be committed together, at most one an incident.

    Reads see what was added before: an alert that leaves and one that joins in the same batch
    move the same incident twice.
    """

    def __init__(self, incidents: Mapping[str, Incident]) -> None:
        self.incidents = dict(incidents)
        self._steps: dict[str, Step] = {}

    def add(self, step: Step) -> None:
        """Take a step made from the draft's own incident; one that does nothing is not kept."""
        ident = step.incident.id
        if step.incident is self.incidents.get(ident) and not step.events:
            return
        before = self._steps.get(ident)
        self._steps[ident] = step if before is None else before.then(lambda _: step)
        self.incidents[ident] = step.incident

    def home(self, fingerprint: str) -> Incident | None:
        """Return the open incident that holds the alert, None where none does."""
        return next(
            (one for one in self.incidents.values() if one.open and fingerprint in one.alerts),
            None,
        )

    def steps(self) -> tuple[Step, ...]:
        """Return what was decided, one step an incident."""
        return tuple(self._steps.values())
