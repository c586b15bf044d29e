"""How to reach people: one file a kind beside its settings; nothing heavy before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.channels import (
    alertmanager,
    apprise,
    command,
    console,
    email,
    ntfy,
    pagerduty,
    slack,
    telegram,
    twilio,
    webhook,
)
from stewardmon.ports import Kind

KINDS: Final[Mapping[str, Kind]] = {
    "webhook": Kind(settings=webhook.WebhookSettings, make=webhook.WebhookChannel),
    "email": Kind(settings=email.EmailSettings, make=email.EmailChannel),
    "slack": Kind(settings=slack.SlackSettings, make=slack.SlackChannel),
    "console": Kind(settings=console.ConsoleSettings, make=console.make),
    "pagerduty": Kind(settings=pagerduty.PagerDutySettings, make=pagerduty.PagerDutyChannel),
    "sms": Kind(settings=twilio.TwilioSettings, make=twilio.SmsChannel),
    "voice": Kind(settings=twilio.TwilioSettings, make=twilio.VoiceChannel),
    "telegram": Kind(settings=telegram.TelegramSettings, make=telegram.TelegramChannel),
    "ntfy": Kind(settings=ntfy.NtfySettings, make=ntfy.NtfyChannel),
    "command": Kind(settings=command.CommandSettings, make=command.CommandChannel),
    "apprise": Kind(settings=apprise.AppriseSettings, make=apprise.AppriseChannel),
    "alertmanager": Kind(
        settings=alertmanager.AlertmanagerSettings, make=alertmanager.AlertmanagerChannel
    ),
}
