"""Signing in, and what strangers and old keys can do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from stewardmon.domain.outcome import Outcome
from stewardmon.rehearsal.checks.flight import TOLD, Flight, Found, Verdict, each, line, unset

KEY_DAYS: Final = 90
ROTATED: Final = ("OPENAI_API_KEY", "SUPABASE_SERVICE_ROLE_KEY")


def _supabase(flight: Flight) -> dict[str, Any] | None:
    url, key = flight.value("SUPABASE_URL"), flight.value("SUPABASE_ANON_KEY")
    return None if url is None or key is None else {"url": url, "anon_key": key}


async def sign_in(flight: Flight) -> list[Found]:
    """Do Supabase's services answer, and can the synthetic user sign in?"""
    project = _supabase(flight)
    if project is None:
        return [("Supabase auth", Verdict.FAIL, "SUPABASE_URL or SUPABASE_ANON_KEY is not set")]
    email, password = flight.value("SYNTHETIC_EMAIL"), flight.value("SYNTHETIC_PASSWORD")
    found = [] if email else unset("a user signs in", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    user = {"email": email, "password": password} if email and password else {}
    outcome = await flight.probe("supabase", **project, **user)
    return [*each("Supabase", outcome), *found]


async def rows(flight: Flight) -> list[Found]:
    """Does row level security show strangers nothing?"""
    project = _supabase(flight)
    if project is None:
        return unset("row level security", "SUPABASE_URL", "SUPABASE_ANON_KEY")
    tables = ["receipts", "agent_logs"]
    database = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    more = {"database": database} if database else {}
    outcome = await flight.probe("supabase", services=[], tables=tables, **project, **more)
    return list(each("row level security", outcome))


async def rotation(flight: Flight) -> list[Found]:
    """Judge how old keys are, by NAME_ROTATED_AT: no key tells it of itself."""
    return [_rotated(name, flight) for name in ROTATED if flight.value(name) is not None]


def _rotated(name: str, flight: Flight) -> Found:
    check, variable = f"{name} is fresh", f"{name}_ROTATED_AT"
    text = flight.value(variable)
    if text is None:
        return check, Verdict.UNKNOWN, f"set {variable} to the day of its last change"
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return check, Verdict.FAIL, f"{variable} is no day such as 2026-11-26"
    age = (flight.shared.clock.now().date() - day).days
    if age < 0:
        return check, Verdict.FAIL, f"{variable} lies in the future"
    verdict = Verdict.PASS if age <= KEY_DAYS else Verdict.FAIL
    return check, verdict, f"changed {age} days ago, at most {KEY_DAYS} wanted"


async def certificates(flight: Flight) -> list[Found]:
    """Look at the certificates of the app and of Supabase, wherever they speak TLS."""
    found: list[Found] = []
    for name in ("NEXT_PUBLIC_APP_URL", "SUPABASE_URL"):
        parts = urlsplit(flight.value(name) or "")
        if parts.scheme == "https" and parts.hostname:
            address = f"{parts.hostname}:{parts.port or 443}"
            file = flight.value("CA_FILE")
            more = {"verify": file} if file else {}
            outcome = await flight.probe("tls", address=address, lifetime_left=0.1, **more)
            found.append(line(f"the certificate of {name}", outcome))
    return found


async def access(flight: Flight) -> list[Found]:
    """Are protected routes closed to strangers, and cookies safe?"""
    return await _posture(flight, ("auth", "cookies"))


async def posture_rest(flight: Flight) -> list[Found]:
    """What else do strangers see: headers, TLS, CORS, errors, debug routes, scripts?"""
    return await _posture(flight, ("headers", "tls", "cors", "errors", "debug", "scripts"))


async def limited(flight: Flight) -> list[Found]:
    """Ask more often than the app allows."""
    return await _posture(flight, ("burst",))


async def _posture(flight: Flight, checks: tuple[str, ...]) -> list[Found]:
    """Return a line a check: what was found there, or that nothing was."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("the app", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    settings: dict[str, Any] = {"url": url, "checks": checks, "min_score": 0}
    supabase = flight.value("SUPABASE_URL")
    if supabase:
        reference = supabase.partition("://")[2].partition(".")[0].partition("/")[0]
        settings["cookie"] = f"sb-{reference.partition(':')[0]}-auth-token"
    outcome = await flight.probe("security", **settings)
    if isinstance(outcome, str) or not _numbers(outcome, "stewardmon_security_check_possible"):
        return [line("the app", outcome)]
    return list(_by_check(outcome, checks))


def _numbers(outcome: Outcome, name: str) -> dict[str, float]:
    return {one.labels["check"]: one.value for one in outcome.measurements if one.name == name}


def _by_check(outcome: Outcome, checks: tuple[str, ...]) -> Iterator[Found]:
    possible = _numbers(outcome, "stewardmon_security_check_possible")
    counts = _numbers(outcome, "stewardmon_security_findings")
    lines = [text for text in outcome.findings if " was not seen: " not in text]
    for check in checks:
        if not possible[check]:
            start = f"{check} was not seen: "
            why = next((one for one in outcome.findings if one.startswith(start)), start)
            yield check, Verdict.UNKNOWN, why.removeprefix(start)
        elif not counts[check]:
            yield check, Verdict.PASS, "nothing was found"
    failing = [check for check in checks if possible[check] and counts[check]]
    for text in lines[:TOLD]:
        yield ", ".join(failing), Verdict.FAIL, text
