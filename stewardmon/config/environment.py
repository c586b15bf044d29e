"""The daemon's own settings: from flags, from the environment, or from files it names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from stewardmon.config.addresses import misspelt
from stewardmon.config.interpolation import Missing, lookup
from stewardmon.config.names import misnamed
from stewardmon.config.notes import Notes
from stewardmon.config.placeholders import is_placeholder, sentence
from stewardmon.config.shipped import ENVIRONMENT
from stewardmon.settings import Secret

STATE: Final = "stewardmon.db"
HOST: Final = "127.0.0.1"
PORT: Final = 9797
LOG_LEVEL: Final = "info"
NODE_ENV: Final = "production"
LEVELS: Final[Mapping[str, str]] = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "critical",
    "critical": "critical",
}
_STATE_SCHEMES: Final = ("sqlite", "postgresql", "postgres")
_LISTEN: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})"
)
_WORD: Final = re.compile(r"[\x21-\x7e]+")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How this daemon runs, as opposed to what it watches.

    `state` is a path or a database's address; `rules` None means that no folder was named.
    `public_url` is how people reach the pages, without a slash at its end; empty for none.
    """

    rules: Path | None = None
    state: str = STATE
    host: str = HOST
    port: int = PORT
    token: Secret | None = None
    public_url: str = ""
    location: str = ""
    sentry_dsn: Secret | None = None
    log_level: str = LOG_LEVEL
    environment: str = NODE_ENV
    version: str = ""
    viewer_token: Secret | None = None
    proxy_header: str = ""
    proxy_from: tuple[str, ...] = ()
    public_status: bool = False
    deadman_url: Secret | None = None


def read_environment(
    environ: Mapping[str, str],
    *,
    rules: str | None = None,
    state: str | None = None,
    listen: str | None = None,
    location: str | None = None,
) -> Runtime:
    """Return the daemon's settings; the arguments are flags and go before the environment.

    Raises ConfigError with one sentence for each wrong value; none is shown that may be a secret.
    """
    reading = _Reading(environ)
    host, port = reading.value("STEWARDMON_LISTEN", _listen, flag=("--listen", listen)) or (
        HOST,
        PORT,
    )
    runtime = Runtime(
        rules=reading.value("STEWARDMON_RULES", _folder, flag=("--rules", rules)),
        state=reading.value("STEWARDMON_STATE", _state, flag=("--state", state)) or STATE,
        host=host,
        port=port,
        token=reading.value("STEWARDMON_TOKEN", _token),
        public_url=reading.value("STEWARDMON_PUBLIC_URL", _public_url) or "",
        location=reading.value("STEWARDMON_LOCATION", _location, flag=("--location", location))
        or "",
        sentry_dsn=reading.value("SENTRY_DSN", _dsn),
        log_level=reading.value("LOG_LEVEL", _level) or LOG_LEVEL,
        environment=reading.value("NODE_ENV", _word) or NODE_ENV,
        version=reading.value("APP_VERSION", _word) or "",
        viewer_token=reading.value("STEWARDMON_VIEWER_TOKEN", _token),
        proxy_header=reading.value("STEWARDMON_PROXY_HEADER", _word) or "",
        proxy_from=reading.value("STEWARDMON_PROXY_FROM", _addresses) or (),
        public_status=reading.value("STEWARDMON_PUBLIC_STATUS", _yes) or False,
        deadman_url=reading.value("STEWARDMON_DEADMAN_URL", _deadman),
    )
    reading.notes.check()
    return runtime


def default_rules() -> Path | None:
    """Return ./rules where it is there: what a checkout and the container have."""
    folder = Path("rules")
    return folder if folder.is_dir() else None


def listening(environ: Mapping[str, str]) -> str:
    """Return the URL at which this machine reaches a daemon with this environment.

    Raises ConfigError where STEWARDMON_LISTEN is no address.
    """
    reading = _Reading(environ)
    host, port = reading.value("STEWARDMON_LISTEN", _listen) or (HOST, PORT)
    reading.notes.check()
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = anywhere.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Reading:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.notes = Notes()

    def value(
        self,
        name: str,
        read: Callable[[str], T],
        *,
        flag: tuple[str, str | None] = ("", None),
    ) -> T | None:
        """Return what `read` makes of the flag or the variable; what it refuses is noted."""
        named, text = flag[0] if flag[1] is not None else name, flag[1]
        try:
            text = lookup(name, self.environ) if text is None else text
            if text is None:
                return None
            return read(_real(text))
        except (Missing, ValueError) as error:
            said = str(error) if isinstance(error, Missing) else f"{named}: {error}"
            self.notes.add(ENVIRONMENT, None, said)
            return None


def _real(text: str) -> str:
    if is_placeholder(text):
        raise ValueError(sentence("it"))
    return text


def _listen(text: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no HOST:PORT: write one such as 127.0.0.1:9797")
    port = int(found["port"])
    if port > 65535:
        raise ValueError(f"{port} is no port: ports go from 0 (any that is free) to 65535")
    # An empty host means every address, as in Go's programs.
    return found["six"] or found["host"] or "0.0.0.0", port  # noqa: S104 - asked for by the operator


def _folder(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a path cannot hold a zero byte")
    return Path(text)


def _state(text: str) -> str:
    scheme, mark, _ = text.partition("://")
    if mark and scheme.partition("+")[0] not in _STATE_SCHEMES:
        raise ValueError(f"{scheme}:// is no store: write a path, sqlite:///path or postgresql://…")
    if "\0" in text:
        raise ValueError("a path cannot hold a zero byte")
    return text


def _token(text: str) -> Secret:
    if not _WORD.fullmatch(text):
        raise ValueError("a token is letters, digits and signs without spaces, to fit in a header")
    return Secret(text)


def _public_url(text: str) -> str:
    wrong = misspelt(text)
    if wrong is None and urlsplit(text).scheme not in {"http", "https"}:
        wrong = "must begin with http:// or https://"
    if wrong is None and (urlsplit(text).query or urlsplit(text).fragment):
        wrong = "must end with the path: a query or a fragment has no place in it"
    if wrong:
        raise ValueError(f"{text[:60]!r} {wrong}")
    return text.rstrip("/")


def _location(text: str) -> str:
    wrong = misnamed(text, "location")
    if wrong:
        raise ValueError(wrong)
    return text


def _dsn(text: str) -> Secret:
    parts = urlsplit(text)
    sound = parts.scheme in {"http", "https"} and parts.hostname and parts.username
    if not sound or misspelt(text) or not parts.path.rpartition("/")[2].isdigit():
        raise ValueError("it is no DSN: Sentry shows one such as https://KEY@HOST/PROJECT-NUMBER")
    return Secret(text)


def _addresses(text: str) -> tuple[str, ...]:
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        try:
            ipaddress.ip_address(one)
        except ValueError:
            raise ValueError(f"{one[:45]!r} is no address: write such as 127.0.0.1,::1") from None
    return found


def _yes(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"{text[:20]!r} is neither true nor false")
    return text.lower() in {"true", "1", "yes"}


def _deadman(text: str) -> Secret:
    # Such a URL is the right to stay silent in our name: it is never shown.
    if misspelt(text) or urlsplit(text).scheme not in {"http", "https"}:
        raise ValueError("it must be an http:// or https:// URL")
    return Secret(text)


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"{text[:20]!r} is no log level; one of {', '.join(LEVELS)}")
    return LEVELS[text.lower()]


def _word(text: str) -> str:
    if not _WORD.fullmatch(text) or len(text) > 100:
        raise ValueError("one word is wanted, of at most 100 letters, digits and signs")
    return text
