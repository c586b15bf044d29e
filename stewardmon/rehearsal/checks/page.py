"""What a visitor loads: its weight and its time."""

from __future__ import annotations

from typing import Final

from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, line, within

PAGE_TIME: Final = 2.0  # seconds: the guide's benchmark


async def weight(flight: Flight) -> list[Found]:
    """Weigh the page with its own scripts and styles, compressed as a browser asks for them."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("the page", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    outcome = await flight.probe("page", url=f"{url.rstrip('/')}/")
    return list(each("the page's weight", outcome))


async def page_time(flight: Flight) -> list[Found]:
    """Time the page, on a connection of its own."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return []
    outcome = await flight.probe("http", url=f"{url.rstrip('/')}/")
    if isinstance(outcome, str) or not outcome.success:
        return [line("the page's time", outcome)]
    return within("the page's time", outcome.duration, PAGE_TIME)


async def outside(_: Flight) -> list[Found]:
    """Say why two of the guide's benchmarks are not judged here."""
    why = "cannot be seen from outside: let the app push it, or be scraped"
    return [("memory and processor", Verdict.UNKNOWN, why)]
