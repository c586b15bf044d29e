"""The four log streams of the guide, as files of JSON lines that grow with the app's traffic."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.deployment import Deployment
from stewardmon.demo.faults import Faults
from stewardmon.demo.identity import Identity

STREAMS: Final = ("application", "error", "performance", "access")


class Logs:
    """Writes one line to each stream for each request, in the guide's fields."""

    def __init__(
        self,
        folder: Path,
        *,
        faults: Faults,
        identity: Identity,
        deployment: Deployment,
        now: Callable[[], datetime],
    ) -> None:
        self.folder = folder
        self._faults = faults
        self._identity = identity
        self._deployment = deployment
        self._now = now

    def make(self) -> None:
        """Start every stream with ten lines of the last minutes."""
        self.folder.mkdir(exist_ok=True)
        for number in range(10, 0, -1):
            self._write("info", "started", {}, at=self._now() - timedelta(seconds=6 * number))

    def request(self, path: str, status: int, seconds: float) -> None:
        """Log one answered request; silent while the streams are stale."""
        if Fault.LOGS_STALE in self._faults:
            return
        bad = status >= 500 or self._faults.strikes(Fault.LOGS_ERRORS)
        context: dict[str, object] = {"path": path, "status": status, "ms": round(seconds * 1000)}
        if Fault.LOGS_SECRET in self._faults:
            context["authorization"] = f"Bearer {self._identity.openai_key}"
            context["user"] = self._identity.users[0].email
        self._write("error" if bad else "info", "request", context, at=self._now())

    def _write(self, level: str, message: str, context: dict[str, object], *, at: datetime) -> None:
        line = json.dumps(
            {
                "timestamp": at.isoformat(),
                "level": level,
                "message": message,
                "context": context,
                "environment": "production",
                "version": self._deployment.version,
            }
        )
        if Fault.LOGS_UNSTRUCTURED in self._faults:
            line = f"{at:%b %d %H:%M:%S} {level.upper()} something happened: {message}"
        for stream in STREAMS:
            with (self.folder / f"{stream}.log").open("a") as file:
                file.write(line + "\n")
