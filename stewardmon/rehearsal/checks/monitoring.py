"""What watches the app itself: its error tracker takes events, and its log streams speak."""

from __future__ import annotations

from pathlib import Path

from stewardmon.rehearsal.checks.flight import Flight, Found, each, unset


async def sentry(flight: Flight) -> list[Found]:
    """Does the app's error tracker take events? PLATFORM_SENTRY_DSN where SENTRY_DSN is ours."""
    dsn = flight.value("PLATFORM_SENTRY_DSN") or flight.value("SENTRY_DSN")
    if dsn is None:
        return unset("Sentry", "SENTRY_DSN")
    names = {
        "events_url": "PLATFORM_SENTRY_EVENTS",
        "token": "SENTRY_AUTH_TOKEN",
        "max_age": "PLATFORM_SENTRY_MAX_AGE",  # for an app that is never without events so long
    }
    more = {key: flight.value(name) for key, name in names.items() if flight.value(name)}
    return list(each("Sentry", await flight.probe("sentry", dsn=dsn, **more)))


async def logs(flight: Flight) -> list[Found]:
    """Are the streams in LOG_DIR fresh, structured and free of secrets?"""
    folder = flight.value("LOG_DIR")
    if folder is None:
        return unset("the log streams", "LOG_DIR")
    return list(each("the log streams", await flight.probe("logs", folder=Path(folder))))
