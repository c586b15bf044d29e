"""What the app is made of and leans on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stewardmon.demo.ai_client import AiClient
from stewardmon.demo.database import Database
from stewardmon.demo.deployment import Deployment
from stewardmon.demo.faults import Faults
from stewardmon.demo.identity import Identity
from stewardmon.demo.limits import Limits
from stewardmon.demo.logs import Logs
from stewardmon.demo.noise import Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One of each; `origin` tells the app's own address, for CORS.

    `cache_ttl` is how long it keeps an answer.
    """

    faults: Faults
    identity: Identity
    database: Database
    ai: AiClient
    deployment: Deployment
    limits: Limits
    noise: Noise | None
    logs: Logs
    now: Callable[[], datetime]
    origin: Callable[[], str]
    cache_ttl: timedelta
