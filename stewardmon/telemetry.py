"""Logs in the guide's fields, and our own errors to Sentry.

One JSON object a line: `timestamp, level, message, context, environment, version`
(production-deployment-guide.md, "Structured Logging"); for people on a terminal.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

from stewardmon import __version__
from stewardmon.domain.redact import redact

LEVELS: Final = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]


def configure_logs(*, level: str, environment: str, stream: TextIO = sys.stderr) -> None:
    """Send structlog and the standard library's logging to `stream`, one line an event."""
    people = stream.isatty()
    shape = structlog.dev.ConsoleRenderer() if people else _guide_fields(environment)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacted,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level.lower(), 20)),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging(LEVELS.get(level.lower(), 20))


def start_sentry(dsn: str, *, environment: str, release: str) -> None:
    """Report our own unexpected errors to Sentry; with an empty dsn nothing is sent anywhere."""
    if not dsn:
        return
    import sentry_sdk  # noqa: PLC0415  -- costs 100 ms of start, only with a DSN

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release,
        send_default_pii=False,
        include_local_variables=False,
        before_send=_scrubbed,
    )


def report_bug(where: str, error: Exception) -> None:
    """Say an error of our own loudly: in the log and, where it is set up, to Sentry."""
    structlog.get_logger().error("bug", where=where, error=repr(error), exc_info=error)
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        sentry.capture_exception(error)


def check_in(monitor: str, *, interval: float) -> None:
    """Tell Sentry Crons that all loops live; nothing where Sentry is not set up."""
    if "sentry_sdk" not in sys.modules:
        return
    from sentry_sdk.crons import MonitorStatus, capture_checkin  # noqa: PLC0415

    minutes = max(1, round(interval / 60))
    capture_checkin(
        monitor_slug=monitor,
        status=MonitorStatus.OK,
        monitor_config={
            "schedule": {"type": "interval", "value": minutes, "unit": "minute"},
            "checkin_margin": 2,
            "failure_issue_threshold": 1,
        },
    )


def _guide_fields(environment: str) -> Callable[[Any, str, Event], str]:
    def render(_logger: Any, _method: str, event: Event) -> str:
        line = {
            "timestamp": event.pop("timestamp", None),
            "level": event.pop("level", "info"),
            "message": event.pop("event", ""),
            "context": event,
            "environment": environment,
            "version": __version__,
        }
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

    return render


def _redacted(_logger: Any, _method: str, event: Event) -> Event:
    """Take secrets out of every text, wherever it came from."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event


def _scrubbed(event: Any, _hint: Any) -> Any:
    return orjson.loads(redact(orjson.dumps(event, default=str).decode()))


class _ToStructlog(logging.Handler):
    """Hands the standard library's records to structlog, so that there is one kind of line."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)


def _adopt_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(max(level, logging.WARNING))
