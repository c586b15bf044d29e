"""TLS: contexts shared by setting, and what the peer's certificates say."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

_NAMES: Final = {"commonName": "CN", "organizationName": "O"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What the peer showed: expiry in seconds since 1970, subject and issuer of its own one.

    `earliest_expiry` is over everything that the server sent, `expiry` the server's own.
    """

    version: str
    earliest_expiry: float
    expiry: float
    issued: float
    subject: str
    issuer: str

    @property
    def expires_at(self) -> datetime:
        """Return the moment when the first certificate of the chain expires."""
        return datetime.fromtimestamp(self.earliest_expiry, UTC)


@lru_cache(maxsize=64)
def context(verify: bool | Path = True) -> ssl.SSLContext:
    """Return the shared context of a setting: the system's roots, a file of roots, or no check.

    Loading the roots costs some 20 ms, so there is one context a setting. Raises OSError where
    the file cannot be read as PEM.
    """
    if verify is False:
        # The setting's own words: the target is measured, nothing secret is entrusted to it.
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        return unverified
    if verify is not True:
        return ssl.create_default_context(cafile=str(verify))
    system = ssl.get_default_verify_paths()
    return ssl.create_default_context(cafile=None if system.cafile else mozillas())


def mozillas() -> str:
    """Return a file of the roots that Mozilla trusts: a slim system may come without any."""
    import certifi  # noqa: PLC0415 - with what it loads half a megabyte, for who speaks TLS

    return certifi.where()


def certificates(connection: ssl.SSLObject) -> Certificates | None:
    """Return what the peer showed in its handshake, None where it showed nothing."""
    chain = [_decoded(one) for one in _chain(connection)]
    if not chain:
        own = connection.getpeercert()
        chain = [own] if own else []
    if not chain:
        return None
    expiries = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in chain]
    own = chain[0]
    return Certificates(
        version=connection.version() or "",
        earliest_expiry=float(min(expiries)),
        expiry=float(expiries[0]),
        issued=float(ssl.cert_time_to_seconds(str(own["notBefore"]))),
        subject=_name(own.get("subject", ())),
        issuer=_name(own.get("issuer", ())),
    )


def _chain(connection: ssl.SSLObject) -> list[Any]:
    # Public only since Python 3.13, and there without the decoded form that is wanted here.
    native = getattr(connection, "_sslobj", None)
    read = getattr(native, "get_unverified_chain", None)
    return list(read() or ()) if read is not None else []


def _decoded(certificate: Any) -> dict[str, Any]:
    info: dict[str, Any] = certificate.get_info()
    return info


def _name(parts: Any) -> str:
    named = {key: value for part in parts for key, value in part}
    return ", ".join(f"{short}={named[key]}" for key, short in _NAMES.items() if key in named)
