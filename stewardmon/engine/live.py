"""Everything that runs, as one value: what pages, interfaces and reports may look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardmon.domain.series import SeriesStore
from stewardmon.engine.deploys import Deploys
from stewardmon.engine.drills import Drills
from stewardmon.engine.evaluator import Evaluator
from stewardmon.engine.external import External
from stewardmon.engine.heartbeats import Heartbeats
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.mutes import Mutes
from stewardmon.engine.reports import Reports
from stewardmon.engine.responder import Responder
from stewardmon.engine.rota import Rota
from stewardmon.engine.silences import Silences
from stewardmon.engine.supervise import Supervisor
from stewardmon.engine.tasks import Tasks
from stewardmon.engine.watch import Observations
from stewardmon.ports import Clock, History


@dataclass(slots=True, kw_only=True)
class Live:
    """The running daemon, seen from outside; a reload replaces parts of it in place.

    `config_error` is why the files on disk are not in force, empty when they are. `reload` reads
    them again and returns what is wrong; `ask` asks a probe at once. `config` is the
    configuration in force (config.Config; the engine is below it and does not know its type).
    """

    clock: Clock
    started_at: datetime
    location: str
    external_url: str
    series: SeriesStore
    observations: Observations
    evaluator: Evaluator
    responder: Responder
    mutes: Mutes
    silences: Silences
    external: External
    rota: Rota
    drills: Drills
    tasks: Tasks
    reports: Reports
    heartbeats: Heartbeats
    deploys: Deploys
    ledger: Ledger
    history: History
    supervisor: Supervisor
    config: Any
    reload: Callable[[], Awaitable[str]]
    ask: Callable[[str], Awaitable[None]]
    config_error: str = ""

    def ready(self) -> tuple[bool, str]:
        """Say whether pages can go out and decisions are durable, and what is wrong if not."""
        now = self.clock.now()
        silent = self.supervisor.silent(now=now, longer_than=30)
        if silent:
            return False, f"loops without success for 30 s: {', '.join(silent)}"
        if not self.ledger.healthy:
            return False, f"decisions are kept in memory only: {self.ledger.trouble}"
        return True, "ready"
