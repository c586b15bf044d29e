"""How to reach people: one file a kind beside its settings; nothing heavy before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.kinds import Kinds
from stewardmon.ports import Kind

KINDS: Final[Mapping[str, Kind]] = Kinds(
    __name__,
    {
        "webhook": "webhook",
        "email": "email",
        "slack": "slack",
        "console": "console",
        "pagerduty": "pagerduty",
        "sms": "twilio:SMS",
        "voice": "twilio:VOICE",
        "telegram": "telegram",
        "ntfy": "ntfy",
        "command": "command",
        "apprise": "apprise",
        "alertmanager": "alertmanager",
    },
)
