"""From a name to an open connection: resolve, connect, TLS, each phase measured."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Final, TypeVar

from stewardmon.domain.outcome import Reason
from stewardmon.network.certificates import Certificates, certificates
from stewardmon.network.endpoint import literal
from stewardmon.network.failure import Failure, failure_of
from stewardmon.network.progress import Progress

P = TypeVar("P", bound=asyncio.Protocol)

# Every address but the last gets this many seconds, so that a dead IPv6 route does not eat the
# whole timeout (RFC 8305 starts the next attempt after 0.25 s; a lost SYN is sent again after 1 s).
PATIENCE: Final = 1.2
# A lookup that hangs blocks its thread for as long as the resolver's own timeouts.
_THREADS: Final = 64


class Resolver:
    """Names to addresses in threads of its own: slow names never delay other names.

    Lookups of one name that overlap share one thread; nothing is kept afterwards, because the
    lookup is part of what is measured.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._running: dict[str, Future[list[str]]] = {}

    async def addresses(self, host: str) -> Sequence[str]:
        """Return the addresses of a name in the system's order of preference; raises gaierror."""
        running = self._running.get(host)
        if running is None:
            running = self._threads.submit(_lookup, host)
            self._running[host] = running
            running.add_done_callback(lambda _: self._running.pop(host, None))
        return await asyncio.shield(asyncio.wrap_future(running))


def _lookup(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def resolver() -> Resolver:
    """Return the resolver that all probes of this process share."""
    return Resolver()


@lru_cache(maxsize=4096)
def private(address: str) -> bool:
    """Say whether an address lies in a network that strangers have no business in.

    Everything that IANA's special-purpose registries do not call globally reachable, multicast,
    and the IPv4 addresses that are hidden in IPv6 ones (mapped, 6to4, Teredo, NAT64).
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or (None, None))[1]
        if inner is None and parsed in ipaddress.IPv6Network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            parsed = inner
    return parsed.is_multicast or not parsed.is_global


async def resolve(
    host: str, *, guard: bool, progress: Progress, names: Resolver | None = None
) -> Sequence[str]:
    """Return the addresses of a host; with `guard`, raises Failure where one is private.

    `names` looks it up, the probes' resolver where none is given.
    The guard looks at the very addresses that are connected to, so a name cannot change in between.
    """
    progress.enter("resolve")
    if literal(host):
        addresses: Sequence[str] = (host,)
    else:
        try:
            addresses = await (names or resolver()).addresses(host)
        except (OSError, UnicodeError) as error:
            known = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME)
            raise failure_of(known, host=host, port=0) from None
    if guard and any(private(address) for address in addresses):
        raise Failure(
            Reason.FORBIDDEN_ADDRESS, f"{host} leads into a private network, which is refused"
        )
    return addresses


async def connect(
    addresses: Sequence[str], *, host: str, port: int, protocol: P, progress: Progress
) -> tuple[asyncio.Transport, str]:
    """Return an open TCP connection to the first address that answers, and that address."""
    progress.enter("connect")
    failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    loop = asyncio.get_running_loop()
    for address in addresses:
        try:
            if address is addresses[-1]:
                opened = await loop.create_connection(lambda: protocol, address, port)
            else:
                async with asyncio.timeout(PATIENCE):
                    opened = await loop.create_connection(lambda: protocol, address, port)
        except OSError as error:
            failure = error
        else:
            return opened[0], address
    raise failure_of(failure, host=host, port=port) from None


async def secure(
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    *,
    host: str,
    port: int,
    progress: Progress,
) -> tuple[asyncio.Transport, Certificates | None]:
    """Return the connection under TLS and the certificates that were shown; raises Failure."""
    progress.enter("tls")
    loop = asyncio.get_running_loop()
    try:
        secured = await loop.start_tls(transport, protocol, context, server_hostname=host)
    except OSError as error:
        raise failure_of(error, host=host, port=port) from None
    if secured is None:
        raise Failure(Reason.RESET, f"{host}:{port} hung up amid the TLS handshake")
    return secured, certificates(secured.get_extra_info("ssl_object"))
