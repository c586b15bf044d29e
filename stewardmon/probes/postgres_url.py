"""Database URLs as apps write them, Prisma's included, made into what libpq takes."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

_RIGHT: Final = (
    "not a PostgreSQL address: write postgresql://user:password@host:5432/database, "
    "with special characters of the password percent-encoded"
)
_SCHEMES: Final = ("postgresql://", "postgres://")
# Prisma reads another meaning into this one than libpq does: the server's root, not our own key.
_MISREAD: Final = frozenset({"sslcert"})
_LIBPQ: Final = (
    frozenset(option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()) - _MISREAD
)
_SSL_MODES: Final = {"no-verify": "require"}  # node-postgres' word
_PORT: Final = "5432"


def parse_conninfo(text: str) -> dict[str, str]:
    """Return libpq's parameters for a URL, less those that only Prisma and poolers know.

    `pgbouncer`, `connection_limit`, `pool_timeout`, `schema` and the like steer the app's client
    and change nothing of the path that is probed. Raises ValueError, which repeats nothing of the
    text: it holds a password.
    """
    if not text.startswith(_SCHEMES):
        raise ValueError(_RIGHT)
    address, _, query = text.partition("?")
    known = {name: value for name, value in parse_qsl(query) if name in _LIBPQ}
    if "sslmode" in known:
        known["sslmode"] = _SSL_MODES.get(known["sslmode"], known["sslmode"])
    try:
        found = conninfo_to_dict(f"{address}?{urlencode(known, quote_via=quote)}")
    except psycopg.Error:
        raise ValueError(_RIGHT) from None
    parameters = {name: str(value) for name, value in found.items() if value is not None}
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports(parameters)):
        raise ValueError(_RIGHT)
    return parameters


def hosts(parameters: dict[str, str]) -> list[str]:
    """Return the hosts in order; a path is a socket's directory."""
    return (parameters.get("host") or "localhost").split(",")


def ports(parameters: dict[str, str]) -> list[str]:
    """Return the ports in the order of the hosts, one for all of them where only one is given."""
    return [port or _PORT for port in (parameters.get("port") or _PORT).split(",")]


def shown(parameters: dict[str, str]) -> str:
    """Return host:port of the first host: what labels and messages may hold."""
    return f"{hosts(parameters)[0]}:{ports(parameters)[0]}"
