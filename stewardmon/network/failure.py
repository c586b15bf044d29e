"""The one place where the network's exceptions become reasons that a person understands."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from stewardmon.domain.outcome import Measurement, Reason, State


class Failure(Exception):  # noqa: N818 - a finding on its way up to the outcome, never a bug
    """Why an ask came to nothing; `detail` is one sentence without secrets.

    `retry_after` is for how many seconds the target asks to be left alone.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        state: State = State.DOWN,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.reason = reason
        self.detail = detail
        self.state = state


def waits(failure: Failure) -> tuple[Measurement, ...]:
    """Return the wait that a target asks for, as the watch loop reads it."""
    if failure.retry_after is None:
        return ()
    return (Measurement("stewardmon_retry_after_seconds", failure.retry_after),)


_UNREACHABLE: Final = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EHOSTDOWN}
)
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)})

# OpenSSL's verify codes (openssl-verification-options(1), "Diagnostics").
_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED, _SELF_SIGNED_ROOT = 10, 9, 18, 19
_NO_ISSUER, _NO_FIRST, _WRONG_NAME, _WRONG_ADDRESS = 20, 21, 62, 64


def failure_of(error: OSError, *, host: str, port: int) -> Failure:
    """Return what an exception of the operating system or of TLS says about host:port."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(Reason.CERTIFICATE, _certificate(error, host))
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error) or "handshake failed").replace("_", " ").lower()
        return Failure(Reason.TLS, f"no TLS connection with {host}:{port}: {words}")
    if isinstance(error, socket.gaierror):
        return _dns(error, host)
    return _refusal(error, f"{host}:{port}")


def _refusal(error: OSError, where: str) -> Failure:
    if isinstance(error, ConnectionRefusedError):
        return Failure(Reason.REFUSED, f"nothing listens on {where}: connection refused")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Failure(Reason.RESET, f"{where} cut the connection")
    if isinstance(error, TimeoutError):
        return Failure(Reason.TIMEOUT, f"{where} did not answer the connection attempt")
    if error.errno in _UNREACHABLE:
        return Failure(Reason.UNREACHABLE, f"no route to {where}: {error.strerror}")
    if error.errno in _EXHAUSTED:
        detail = f"stewardmon itself is out of resources: {error.strerror}"
        return Failure(Reason.SETUP, detail, state=State.UNKNOWN)
    return Failure(Reason.UNREACHABLE, f"no connection to {where}: {error.strerror or error}")


def _dns(error: socket.gaierror, host: str) -> Failure:
    if error.errno in _NO_SUCH_NAME:
        return Failure(Reason.DNS, f"the name {host} does not exist")
    if error.errno == socket.EAI_AGAIN:
        return Failure(Reason.DNS, f"no name server answered for {host}")
    return Failure(Reason.DNS, f"the name {host} could not be resolved: {error.strerror}")


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return f"the certificate of {host}, or one above it, has expired"
    if code == _NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet"
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return f"the certificate is for other names than {host}"
    if code in (_SELF_SIGNED, _SELF_SIGNED_ROOT):
        return f"the certificate of {host} is self-signed or its root is not trusted"
    if code in (_NO_ISSUER, _NO_FIRST):
        return f"the certificate of {host} comes from an issuer that is not trusted here"
    return f"the certificate of {host} is not valid: {error.verify_message}"
