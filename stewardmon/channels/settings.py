"""What the settings of several channel kinds share: timeouts, addresses that are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from stewardmon.settings import AfterValidator, Duration, Field, FilePath, Secret, Settings

LONGEST_TIMEOUT: Final = timedelta(seconds=30)  # what the sender allows any channel
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2: token


def _timeout(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST_TIMEOUT:
        raise ValueError("a channel's timeout lies above 0s and is at most 30s")
    return value


def split_url(url: str, *, schemes: tuple[str, ...]) -> SplitResult:
    """Return the parts of an absolute URL.

    Raises ValueError that never repeats the URL, because it may hold a secret.
    """
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if any(ord(character) < 0x21 or ord(character) == 0x7F for character in url):
        raise ValueError("the URL holds a space or a control character")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"this is not a URL: write {wanted}host[:port]/path") from None
    if parts.scheme not in schemes or not host or port == 0:
        raise ValueError(f"the URL has to begin with {wanted} and name a host")
    if parts.fragment:
        raise ValueError("the URL has a fragment (#…), which is never sent")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("the URL's host is not a valid name") from None
    return parts


def _http_url(value: Secret) -> Secret:
    split_url(value.get_secret_value(), schemes=("http", "https"))
    return value


def _header(name: str, value: Secret) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name")
    text = value.get_secret_value()
    if text != text.strip() or not all(0x20 <= ord(character) < 0x7F for character in text):
        raise ValueError(f"the value of header {name} has to be printable ASCII on one line")


def _headers(value: Mapping[str, Secret]) -> Mapping[str, Secret]:
    for name, secret in value.items():
        _header(name, secret)
    return value


Timeout = Annotated[Duration, AfterValidator(_timeout)]
HttpUrl = Annotated[Secret, AfterValidator(_http_url)]
Headers = Annotated[Mapping[str, Secret], AfterValidator(_headers)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings(Settings):
    """The keys of every channel kind.

    `timeout` bounds one delivery from connecting to the last byte; `per_minute` is how many
    messages leave in a minute, save first pages and escalations, which never wait.
    """

    timeout: Timeout = timedelta(seconds=10)
    per_minute: int = Field(default=60, gt=0, le=6000)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(ChannelSettings):
    """The keys of every channel kind that speaks HTTP.

    `public_only` refuses addresses that are not public, judged by the address that is connected
    to; `ca_file` names certificates to trust besides the usual ones.
    """

    public_only: bool = False
    ca_file: FilePath | None = None


def host_of(url: Secret) -> str:
    """Return the host, and the port where one is written, of a secret URL: what may be shown."""
    parts = urlsplit(url.get_secret_value())
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parts.port}" if parts.port else shown


def join_url(base: Secret, path: str) -> str:
    """Return `path` below a base URL, whether or not that ends in a slash."""
    return f"{base.get_secret_value().rstrip('/')}/{path}"
