"""Where a request goes: a URL taken apart once, when the configuration is read."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_SAFE: Final = "%/:=&?~#+!$,;'@()*[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One http or https address: `target` is the request's path with its query.

    `authorization` holds what user:password@ of the URL became; it is in no other field.
    """

    secure: bool
    host: str
    port: int
    target: str
    path: str
    authorization: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """Return host and port as the Host header and people write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def scheme(self) -> str:
        """Return http or https."""
        return "https" if self.secure else "http"

    @property
    def shown(self) -> str:
        """Return the URL without user, query and fragment: what labels and messages may hold."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Endpoint:
    """Return the endpoint that an http or https URL names.

    Raises ValueError with one sentence that does not repeat the URL: it may hold a secret.
    """
    if re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("a URL holds no spaces or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL: write http(s)://host[:port]/path, ports up to 65535") from None
    if parts.scheme not in _PORTS:
        raise ValueError(f"a URL starts with http:// or https://, not with {parts.scheme!r}")
    host = ascii_host(parts.hostname or "")
    path = quote(parts.path or "/", safe=_SAFE)
    query = quote(parts.query, safe=_SAFE)
    return Endpoint(
        secure=parts.scheme == "https",
        host=host,
        port=_PORTS[parts.scheme] if port is None else port,
        target=f"{path}?{query}" if query else path,
        path=path,
        authorization=_basic(parts.username, parts.password),
    )


def ascii_host(host: str) -> str:
    """Return the host in the form that DNS and TLS use; raises ValueError where it is none."""
    if not host:
        raise ValueError("the host is missing")
    if literal(host):
        return host
    try:
        plain = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    if not _HOST.fullmatch(plain) or ".." in plain:
        raise ValueError(f"{host[:80]!r} is not a host name")
    return plain.lower()


@lru_cache(maxsize=4096)
def literal(host: str) -> bool:
    """Say whether the host is an address already, so that nothing has to be resolved."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")
