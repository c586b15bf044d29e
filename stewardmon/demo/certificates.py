"""Certificates made at run time, good and bad, by an authority of our own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import trustme

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.faults import Effect, Parameters

_NAMES: Final = ("127.0.0.1", "localhost")
_LIFETIME: Final = timedelta(days=90)


class Certificates:
    """The server's TLS context; a new certificate counts from the next handshake on.

    The dates come from the platform's clock; a client's TLS library compares them with the
    machine's.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._now = now
        self._authority = trustme.CA()
        self._stranger = trustme.CA()
        self.authority_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.authority_file))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_good()

    def effects(self) -> Mapping[Fault, Effect]:
        """Return what the faults of the certificate do."""
        return {
            Fault.CERTIFICATE_EXPIRING: partial(self._replaced, self._load_expiring),
            Fault.CERTIFICATE_EXPIRED: partial(self._replaced, self._load_expired),
            Fault.CERTIFICATE_WRONG_NAME: partial(self._replaced, self._load_wrong_name),
            Fault.CERTIFICATE_UNTRUSTED: partial(self._replaced, self._load_untrusted),
        }

    @asynccontextmanager
    async def _replaced(
        self, load: Callable[[Parameters], None], parameters: Parameters
    ) -> AsyncIterator[None]:
        load(parameters)
        yield
        self._load_good()

    def _load_good(self) -> None:
        self._load(self._authority, _NAMES, ends_in=_LIFETIME * 0.8)

    def _load_expiring(self, parameters: Parameters) -> None:
        self._load(self._authority, _NAMES, ends_in=timedelta(days=parameters["days"]))

    def _load_expired(self, parameters: Parameters) -> None:
        self._load(self._authority, _NAMES, ends_in=-timedelta(days=parameters["days"]))

    def _load_wrong_name(self, _: Parameters) -> None:
        self._load(self._authority, ("other.steward.example",), ends_in=_LIFETIME * 0.8)

    def _load_untrusted(self, _: Parameters) -> None:
        self._load(self._stranger, _NAMES, ends_in=_LIFETIME * 0.8)

    def _load(self, authority: trustme.CA, names: tuple[str, ...], *, ends_in: timedelta) -> None:
        ends_at = self._now() + ends_in
        leaf = authority.issue_cert(*names, not_before=ends_at - _LIFETIME, not_after=ends_at)
        leaf.configure_cert(self.context)
