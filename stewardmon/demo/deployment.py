"""Which version of the app is deployed, and since when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime


class Deployment:
    """The version that serves; `deploy` switches to another at once, as Vercel's alias does."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.version = "1.4.2"
        self.since = now()

    @property
    def id(self) -> str:
        """Return the deployment's id, which every answer carries."""
        return "dpl_" + hashlib.sha256(self.version.encode()).hexdigest()[:24]

    def deploy(self, version: str) -> None:
        """Put another version live."""
        self.version = version
        self.since = self._now()
