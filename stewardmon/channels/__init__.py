"""How to reach people: one file a kind beside its settings; nothing heavy before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.channels import console, email, slack, webhook
from stewardmon.ports import Kind

KINDS: Final[Mapping[str, Kind]] = {
    "webhook": Kind(settings=webhook.WebhookSettings, make=webhook.WebhookChannel),
    "email": Kind(settings=email.EmailSettings, make=email.EmailChannel),
    "slack": Kind(settings=slack.SlackSettings, make=slack.SlackChannel),
    "console": Kind(settings=console.ConsoleSettings, make=console.make),
}
