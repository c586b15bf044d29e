"""Fixtures for every test: real peers, a real PostgreSQL, a real browser."""

from __future__ import annotations

import structlog

# The usual renderer draws a traceback with every local variable: half a second for each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

pytest_plugins = ["tests.support.peers", "tests.support.postgres", "tests.support.browser"]
