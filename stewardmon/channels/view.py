"""A notification made ready to read: every text safe, short and in the reader's own time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stewardmon.channels.text import clean, line, safe_url
from stewardmon.domain.evidence import AT_MOST
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import COURSE, AlertView, Notification, NotificationEvent
from stewardmon.domain.quantity import format_duration

LATE_AFTER: Final = timedelta(minutes=1)
_SHOWN_ALERTS: Final = 5
_SHOWN_LINES: Final = AT_MOST
_LONGEST_REPORT: Final = 30_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What any message may show; every string is cleaned, an empty one means there is none.

    `headline` is the subject; `what` the value against its threshold; `since` names the reader's
    time and UTC; `late` says how late the message is, when it is; `course_over` the span of a
    chart.
    """

    event: str
    headline: str
    title: str
    severity: str
    notice: str
    summary: str
    description: str
    what: str
    since: str
    since_short: str
    lasted: str
    sparkline: str
    course_over: str
    drawn_threshold: bool
    level: str
    reader: str
    told: str
    next_step: str
    late: str
    runbook: tuple[str, ...]
    runbook_url: str
    evidence: tuple[str, ...]
    alerts: tuple[str, ...]
    more_alerts: int
    ack_url: str
    incident_url: str

    @property
    def asks(self) -> bool:
        """Say whether the message wants somebody to act."""
        return self.event in ("page", "reminder", "escalated")

    @property
    def link(self) -> str:
        """Return the one link to offer where there is room for one."""
        return self.ack_url or self.incident_url


def view(notification: Notification, *, now: datetime) -> View:
    """Return the notification as it reads at `now` for the person that it is for."""
    zone = _zone(notification.timezone)
    resolved = notification.event is NotificationEvent.RESOLVED
    until = (notification.resolved_at or now) if resolved else now
    lasted = ago(until - notification.since)
    report = notification.event is NotificationEvent.REPORT
    # What is over, or in somebody's hands, needs no advice and no answer.
    over = resolved or report or notification.event is NotificationEvent.ACKNOWLEDGED
    title = line(notification.title, 160) or "(untitled incident)"
    return View(
        event=notification.event.value,
        headline=_headline(notification, title=title, lasted=lasted),
        title=title,
        severity=_severity(notification),
        notice=_notice(notification),
        summary=line(notification.summary, 300),
        description=clean(notification.description, _LONGEST_REPORT if report else 1500),
        what=_what(notification.value_text, notification.threshold_text),
        since="" if report else _since(notification.since, zone=zone, now=now),
        since_short=_clock(notification.since, zone=zone, now=now),
        lasted=lasted,
        sparkline=line(notification.sparkline, 60),
        course_over=ago(COURSE),
        drawn_threshold=notification.threshold is not None,
        level=_level(notification),
        reader="" if report else line(notification.person_name or notification.person, 80),
        told=_told(notification, lasted=lasted),
        next_step="" if over else line(notification.next_step, 300),
        late=_late(notification, zone=zone, now=now),
        runbook=() if over else _lines(notification.runbook),
        runbook_url="" if over else safe_url(notification.runbook_url),
        evidence=_lines(notification.evidence),
        alerts=tuple(_alert(one) for one in notification.alerts[:_SHOWN_ALERTS]),
        more_alerts=max(0, len(notification.alerts) - _SHOWN_ALERTS)
        + notification.truncated_alerts,
        ack_url="" if over else safe_url(notification.ack_url),
        incident_url=safe_url(notification.incident_url),
    )


def ago(duration: timedelta) -> str:
    """Return a duration as people say it: seconds below an hour, minutes below a day."""
    whole = max(timedelta(0), duration)
    unit = timedelta(seconds=1)
    if whole >= timedelta(hours=1):
        unit = timedelta(minutes=1)
    if whole >= timedelta(days=1):
        unit = timedelta(hours=1)
    return format_duration(whole // unit * unit)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return UTC


def _clock(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    local = at.astimezone(zone)
    same_day = local.date() == now.astimezone(zone).date()
    return local.strftime("%H:%M %Z" if same_day else "%a %d %b %H:%M %Z")


def _since(at: datetime, *, zone: tzinfo, now: datetime) -> str:
    local, world = at.astimezone(zone), at.astimezone(UTC)
    shown = _clock(at, zone=zone, now=now)
    if local.utcoffset() != timedelta(0):
        same_day = local.date() == world.date()
        shown += world.strftime(" (%H:%M UTC)" if same_day else " (%a %d %b %H:%M UTC)")
    return f"{shown}, {ago(now - at)} ago"


def _severity(notification: Notification) -> str:
    return (line(notification.severity, 20) or "critical").upper()


def _headline(notification: Notification, *, title: str, lasted: str) -> str:
    severity = _severity(notification)
    actor = line(notification.actor, 60) or "somebody"
    match notification.event:
        case NotificationEvent.PAGE:
            return f"{severity}: {title}"
        case NotificationEvent.REMINDER:
            return f"REMINDER, {severity}, nobody has answered: {title}"
        case NotificationEvent.ESCALATED:
            return f"ESCALATED to level {notification.level}, {severity}: {title}"
        case NotificationEvent.ACKNOWLEDGED:
            return f"Acknowledged by {actor}: {title}"
        case NotificationEvent.RESOLVED:
            return f"Resolved after {lasted}: {title}"
        case NotificationEvent.DRILL:
            return f"DRILL, nothing is broken: {title}"
        case NotificationEvent.REPORT:
            return title
    assert_never(notification.event)


def _notice(notification: Notification) -> str:
    if notification.event is not NotificationEvent.DRILL:
        return ""
    return "This is a DRILL: nothing is broken. Acknowledge it as you would a real page."


def _what(value: str, threshold: str) -> str:
    value, threshold = line(value, 80), line(threshold, 80)
    if value and threshold:
        return f"{value} (threshold {threshold})"
    return value or (f"threshold {threshold}" if threshold else "")


def _level(notification: Notification) -> str:
    role = line(notification.role, 80)
    if not notification.level:
        return role
    return f"{notification.level}, {role}" if role else str(notification.level)


def _told(notification: Notification, *, lasted: str) -> str:
    actor, reason = line(notification.actor, 80), clean(notification.reason, 500)
    match notification.event:
        case NotificationEvent.ACKNOWLEDGED:
            said = f"{actor or 'Somebody'} has acknowledged it after {lasted}"
            return f"{said}: {reason}" if reason else f"{said}."
        case NotificationEvent.RESOLVED:
            said = f"It lasted {lasted}; {_answered(notification)}."
            closed = f"Resolved by {actor}" if actor not in ("", "stewardmon") else ""
            return " ".join(filter(None, (said, ": ".join(filter(None, (closed, reason))))))
        case _:
            return f"{actor}: {reason}" if actor and reason else reason


def _answered(notification: Notification) -> str:
    by = line(notification.acknowledged_by, 80)
    return f"acknowledged by {by}" if by else "nobody had acknowledged it"


def _late(notification: Notification, *, zone: tzinfo, now: datetime) -> str:
    delay = now - notification.at
    if delay < LATE_AFTER:
        return ""
    decided = _clock(notification.at, zone=zone, now=now)
    return f"This message comes {ago(delay)} late: it was due at {decided}."


def _lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    shown = [line(one, 240) for one in lines[:_SHOWN_LINES]]
    hidden = len(lines) - len(shown)
    if hidden > 0:
        shown.append(f"… and {hidden} more")
    return tuple(one for one in shown if one)


def _alert(alert: AlertView) -> str:
    name = line(alert.labels.value("alertname"), 80) or "alert"
    labels = ", ".join(_pairs(alert.labels))
    what = _what(alert.value_text, alert.threshold_text)
    return line(" ".join(filter(None, (name, f"{{{labels}}}" if labels else "", what))), 300)


def _pairs(labels: Labels) -> list[str]:
    shown = [(name, value) for name, value in labels.pairs if name not in ("alertname", "severity")]
    return [f"{line(name, 40)}={line(value, 60)}" for name, value in shown[:6]]
