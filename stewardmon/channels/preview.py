"""What a message looks like in each form, before it has to be read at 3 a.m."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from stewardmon.channels import render
from stewardmon.channels.chart import png
from stewardmon.channels.slack import render_slack
from stewardmon.channels.text import septets
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import AlertView, Notification, NotificationEvent

_LASTED: Final = timedelta(minutes=12)
_COURSE: Final = (0.2, 0.4, 0.3, 0.5, 0.4, 0.9, 1.8, 2.9, 4.1, 5.6, 6.4, 6.9, 7.1, 7.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One notification in every form; `sms_places` counts the places of GSM text that it takes."""

    event: NotificationEvent
    subject: str
    text: str
    slack: str
    sms: str
    sms_places: int
    voice: str


def preview(notification: Notification, *, now: datetime) -> Preview:
    """Return the notification in every form that is text."""
    sms = render.sms(notification, now=now)
    return Preview(
        event=notification.event,
        subject=render.subject(notification, now=now),
        text=render.text(notification, now=now),
        slack=slack(notification, now=now),
        sms=sms,
        sms_places=septets(sms),
        voice=render.voice(notification, now=now),
    )


def page(notification: Notification, *, now: datetime) -> str:
    """Return the mail's HTML with its chart inside, as a mail program shows it."""
    chart = png(notification.course, notification.threshold)
    html = render.html(notification, now=now, chart="chart" if chart else "")
    return html.replace("cid:chart", f"data:image/png;base64,{b64encode(chart).decode()}")


def form(kind: str, notification: Notification, *, now: datetime) -> str:
    """Return what a person reads or hears of the notification over one kind of channel."""
    match kind:
        case "sms":
            return render.sms(notification, now=now)
        case "voice":
            return render.voice(notification, now=now)
        case "slack":
            return slack(notification, now=now)
        case "email":
            subject = render.subject(notification, now=now)
            return f"Subject: {subject}\n\n{render.text(notification, now=now)}"
        case _:
            return render.text(notification, now=now)


def slack(notification: Notification, *, now: datetime) -> str:
    """Return the words of Slack's blocks, one block a paragraph; buttons in brackets."""
    blocks = render_slack(notification, now=now)["blocks"]
    return "\n\n".join(filter(None, map(_block, blocks)))


def sample(event: NotificationEvent, *, now: datetime, external_url: str = "") -> Notification:
    """Return an example of each event: the guide's first alert, and a person that it pages."""
    alert = AlertView(
        status="resolved" if event is NotificationEvent.RESOLVED else "firing",
        labels=Labels({"alertname": "High Error Rate", "job": "app", "severity": "critical"}),
        annotations=Labels(),
        starts_at=now - _LASTED,
        ends_at=now if event is NotificationEvent.RESOLVED else None,
        generator_url=f"{external_url}/rules",
        fingerprint="0" * 16,
        value_text="7.3 %",
        threshold_text="> 5 %",
    )
    page = Notification(
        event=event,
        incident="example",
        title="High Error Rate",
        severity="critical",
        level=1,
        role="On-call developer",
        person="dev-a",
        person_name="Developer A",
        timezone="UTC",
        to="dev-a",
        dedup_key="example",
        at=now,
        since=now - _LASTED,
        summary="7.3 % of the app's probes fail",
        value_text="7.3 %",
        threshold_text="> 5 %",
        sparkline="▁▁▁▁▁▁▂▃▄▆▇▇██",
        course=_COURSE,
        threshold=5.0,
        runbook=("Check application logs", "Verify database connectivity"),
        next_step="Without an acknowledgement level 2 (Senior developer) is paged in 18 minutes.",
        alerts=(alert,),
        external_url=external_url,
        ack_url=f"{external_url}/ack/example",
        incident_url=f"{external_url}/incidents/example",
    )
    return replace(page, **_MORE.get(event, {}))


_MORE: Final[Mapping[NotificationEvent, dict[str, Any]]] = {
    NotificationEvent.REMINDER: {"attempt": 2},
    NotificationEvent.ESCALATED: {
        "level": 2,
        "role": "Senior developer",
        "person": "senior",
        "person_name": "Senior",
    },
    NotificationEvent.ACKNOWLEDGED: {"actor": "Developer A", "reason": "looking at the database"},
    NotificationEvent.RESOLVED: {"acknowledged_by": "Developer A"},
    NotificationEvent.REPORT: {
        "title": "Daily report",
        "severity": "info",
        "summary": "",
        "description": "The report's own text stands here.",
        "value_text": "",
        "threshold_text": "",
        "sparkline": "",
        "course": (),
        "runbook": (),
        "next_step": "",
        "ack_url": "",
        "alerts": (),
    },
    NotificationEvent.DRILL: {
        "title": "Drill: does this reach you?",
        "severity": "info",
        "summary": "",
        "value_text": "",
        "threshold_text": "",
        "sparkline": "",
        "course": (),
        "alerts": (),
    },
}


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "actions":
        return " ".join(f"[{one['text']['text']}]" for one in block["elements"])
    text = block.get("text")
    return _unescaped(text["text"]) if isinstance(text, dict) else ""


def _unescaped(text: str) -> str:
    """Undo what Slack wants escaped; bold stays marked, as it is in a terminal."""
    signs = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
    return re.sub("&amp;|&lt;|&gt;", lambda found: signs[found[0]], text)
