"""Why an alert that fires pages nobody: the one answer that silences, windows and causes share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MuteKind(StrEnum):
    """What keeps an alert from paging."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INHIBITION = "inhibition"
    CAUSE_PENDING = "cause_pending"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """One named reason; `by` says which (a silence's id, a window's name, a rule, a probe).

    `cause` is the fingerprint of the alert that explains this one, where there is one: then this
    alert is shown as a symptom on the cause's incident.
    """

    kind: MuteKind
    by: str
    reason: str
    cause: str = ""

    def __str__(self) -> str:
        return (
            f"{self.kind.value} {self.by}: {self.reason}"
            if self.reason
            else (f"{self.kind.value} {self.by}")
        )
