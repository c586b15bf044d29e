"""Are the guide's environment variables there, and do they look like what they must be?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from stewardmon.config.addresses import misspelt
from stewardmon.config.interpolation import Missing, lookup
from stewardmon.config.placeholders import is_placeholder
from stewardmon.domain import leaks
from stewardmon.network.dial import private
from stewardmon.network.endpoint import literal
from stewardmon.probes.sentry import parse_dsn
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict

_LEVELS: Final = frozenset({"trace", "debug", "info", "warn", "warning", "error", "fatal"})
_POOLER: Final = 6543  # Supabase's transaction pooler

Check = Callable[[str, Mapping[str, str]], str]


class Wrong(Exception):  # noqa: N818 - an answer: the sentence that says what is wrong
    """The value cannot be right."""


async def right(flight: Flight) -> list[Found]:
    """Judge each variable by itself; nothing is asked of anybody."""
    return [
        (name, Verdict.PASS if good else Verdict.FAIL, said)
        for name, good, said in judge_variables(flight.environ)
    ]


def judge_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, bool, str]]:
    """Yield each variable's name, whether it is right, and what is to be said of it.

    Values are never repeated. Optional variables are judged where they are set.
    """
    for name, (required, check) in _VARIABLES.items():
        try:
            value = lookup(name, environ)
            if value is None:
                if required:
                    yield name, False, "it is not set"
                continue
            yield name, True, _checked(value, check, environ)
        except (Missing, Wrong) as wrong:
            yield name, False, str(wrong)
    yield from _public(environ)


def _checked(value: str, check: Check, environ: Mapping[str, str]) -> str:
    if is_placeholder(value):
        raise Wrong("it is a placeholder of the guide: put the real value")
    return check(value, environ)


def _public(environ: Mapping[str, str]) -> Iterator[tuple[str, bool, str]]:
    """Judge what Next.js puts into every visitor's script."""
    for name in sorted(environ):
        if name.startswith("NEXT_PUBLIC_"):
            found = sorted(leaks.secrets(environ[name]))
            if found:
                yield name, False, f"every visitor is sent it, and it holds {', '.join(found)}"


def _database(value: str, _: Mapping[str, str]) -> str:
    parts = _parts(value, {"postgres", "postgresql"})
    if not parts.username or not parts.password or not parts.path.strip("/"):
        raise Wrong("it names no user, password and database: postgresql://USER:PASSWORD@HOST/NAME")
    if parts.port == _POOLER and parse_qs(parts.query).get("pgbouncer") != ["true"]:
        raise Wrong(f"port {_POOLER} is the transaction pooler: Prisma needs ?pgbouncer=true")
    return f"{parts.hostname}:{parts.port or 5432}"


def _direct(value: str, environ: Mapping[str, str]) -> str:
    shown = _database(value, environ)
    if urlsplit(value).port == _POOLER:
        raise Wrong(f"migrations need the direct port, not the pooler's {_POOLER}")
    return shown


def _url(value: str, _: Mapping[str, str]) -> str:
    parts = _parts(value, {"http", "https"})
    host = parts.hostname or ""
    local = host == "localhost" or (literal(host) and private(host))
    if parts.scheme == "http" and not local:
        raise Wrong("it begins with http://: what is public is served over https://")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _anon(value: str, environ: Mapping[str, str]) -> str:
    role = leaks.role_of(value)
    if role == "service_role":
        raise Wrong("it is the service-role key: browsers would be sent the key to everything")
    if role != "anon":
        raise Wrong("it is no key for the role anon")
    if value == environ.get("SUPABASE_SERVICE_ROLE_KEY"):
        raise Wrong("it is the same as SUPABASE_SERVICE_ROLE_KEY")
    return "a key for the role anon"


def _service(value: str, _: Mapping[str, str]) -> str:
    if leaks.role_of(value) != "service_role":
        raise Wrong("it is no key for the role service_role")
    return "a key for the role service_role"


def _openai(value: str, _: Mapping[str, str]) -> str:
    if not value.startswith("sk-") or len(value) < 20 or re.search(r"\s", value):
        raise Wrong("it is no key of OpenAI: those begin with sk-")
    return "begins as a key does"


def _mode(value: str, _: Mapping[str, str]) -> str:
    if value != "production":
        raise Wrong(f"it is {value[:20]!r}, expected production")
    return value


def _level(value: str, _: Mapping[str, str]) -> str:
    if value.lower() not in _LEVELS:
        raise Wrong(f"{value[:20]!r} is no log level")
    if value.lower() in {"trace", "debug"}:
        raise Wrong(f"{value[:20]} logs too much for production: personal data among it")
    return value


def _sentry(value: str, _: Mapping[str, str]) -> str:
    try:
        parse_dsn(value)
    except ValueError as error:
        raise Wrong(str(error)) from None
    return "a DSN"


def _parts(value: str, schemes: set[str]) -> SplitResult:
    wrong = misspelt(value)
    if wrong:
        raise Wrong(f"it {wrong}")
    parts = urlsplit(value)
    if parts.scheme not in schemes:
        raise Wrong(f"it begins with {parts.scheme}://, expected {' or '.join(sorted(schemes))}://")
    return parts


_VARIABLES: Final[Mapping[str, tuple[bool, Check]]] = {
    "DATABASE_URL": (True, _database),
    "DIRECT_URL": (False, _direct),
    "SUPABASE_URL": (True, _url),
    "SUPABASE_ANON_KEY": (True, _anon),
    "SUPABASE_SERVICE_ROLE_KEY": (True, _service),
    "OPENAI_API_KEY": (True, _openai),
    "NEXT_PUBLIC_APP_URL": (True, _url),
    "NODE_ENV": (True, _mode),
    "SENTRY_DSN": (False, _sentry),
    "LOG_LEVEL": (False, _level),
}
