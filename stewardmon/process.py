"""The process around the app: configuration and state opened, a port, signals, an orderly end."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from stewardmon import __version__, telemetry
from stewardmon.app import App, Parts
from stewardmon.channels.http_client import HttpSender, Request
from stewardmon.channels.settings import HttpSettings
from stewardmon.clock import SystemClock
from stewardmon.config import Config, load
from stewardmon.config.environment import Runtime
from stewardmon.domain.change import Change
from stewardmon.engine.deadman import EVERY, Ping
from stewardmon.engine.lead import keep_leading, wait_to_lead
from stewardmon.errors import DeposedError, StewardmonError
from stewardmon.ports import Clock, Context, Store
from stewardmon.stores import leadership, open_store
from stewardmon.stores.leadership import Leadership
from stewardmon.web.guard import LOOPBACK, Access
from stewardmon.web.links import Links
from stewardmon.web.server import Server

log = structlog.get_logger()

SWITCH_SECONDS: Final = 0.0005
LINK_KEY: Final = ("secret", "links")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A daemon that is up: its app, and where its pages are."""

    app: App
    url: str


def main(runtime: Runtime, environ: Mapping[str, str]) -> None:
    """Run the daemon until a signal ends it. Raises StewardmonError where it cannot start."""
    # The thread that writes the state gets its turn at once: an acknowledgement waits for it.
    sys.setswitchinterval(SWITCH_SECONDS)
    telemetry.configure_logs(level=runtime.log_level, environment=runtime.environment)
    if runtime.sentry_dsn is not None:
        telemetry.start_sentry(
            runtime.sentry_dsn.get_secret_value(),
            environment=runtime.environment,
            release=__version__,
        )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_signalled(runtime, environ))


@asynccontextmanager
async def daemon(
    runtime: Runtime,
    *,
    load_config: Callable[[], Config],
    clock: Clock | None = None,
) -> AsyncIterator[Running]:
    """Bring a daemon up, and down again at the end of the block.

    The port is bound before anything is opened, so that a second daemon says so at once and
    touches nothing. Of several daemons on one PostgreSQL the others wait here until they may lead.
    Raises DeposedError when this one has led and another does now.
    """
    with bind(runtime.host, runtime.port) as listening:
        async with _served(runtime, listening, load_config, clock or SystemClock()) as running:
            yield running


@asynccontextmanager
async def _served(
    runtime: Runtime, listening: socket.socket, load_config: Callable[[], Config], clock: Clock
) -> AsyncIterator[Running]:
    port = listening.getsockname()[1]
    host = f"[{runtime.host}]" if ":" in runtime.host else runtime.host
    url = f"http://{host}:{port}"
    config = load_config()
    store, history = open_store(runtime.state)
    await store.open()
    await history.open()
    gc.enable()  # off since exec (see cli.run); whoever follows may wait here for days
    right = await _led(store, clock)
    public = runtime.public_url or url
    links = Links(await _link_secret(store), public, clock)
    app = App(
        Parts(
            clock=clock,
            store=store,
            history=history,
            config=config,
            load=load_config,
            links=links.of,
            signs_of_life=_signs_of_life(runtime, clock),
            location=runtime.location or socket.gethostname(),
            external_url=public,
        )
    )
    server = Server(app.live, links=links, access=_access(runtime), listening=listening)
    try:
        await app.start()
        async with asyncio.TaskGroup() as loops:
            tasks = [
                loops.create_task(app.run(), name="app"),
                loops.create_task(server.run(), name="web"),
                loops.create_task(keep_leading(right, app.live.ledger, clock), name="lead"),
            ]
            try:
                yield Running(app=app, url=url)
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as group:
        raise _deposed(group) or group from None
    finally:
        await app.close()
        await right.release()


async def _led(store: Store, clock: Clock) -> Leadership:
    """Return the right to decide over the state, once this process has it."""
    right = leadership(store, holder=f"{socket.gethostname()}:{os.getpid()}")
    await wait_to_lead(right, clock)
    return right


def _deposed(group: BaseExceptionGroup[BaseException]) -> DeposedError | None:
    """Return why this process must stop, None where it fell over something else."""
    found = group.subgroup(DeposedError)
    return None if found is None else DeposedError(str(found.exceptions[0]))


def _access(runtime: Runtime) -> Access:
    """Return who is let in, as the environment says."""
    return Access(
        token=runtime.token,
        viewer_token=runtime.viewer_token,
        proxy_header=runtime.proxy_header,
        proxy_from=runtime.proxy_from or LOOPBACK,
        public_status=runtime.public_status,
    )


def _signs_of_life(runtime: Runtime, clock: Clock) -> tuple[Ping, ...]:
    """Return whom to tell that all loops live: the dead man's URL, Sentry Crons."""
    pings: list[Ping] = []
    if runtime.deadman_url is not None:
        url = runtime.deadman_url.get_secret_value()
        sender = HttpSender(HttpSettings(), Context(clock=clock))

        async def ping() -> None:
            await sender.post(Request(url=url))

        pings.append(ping)
    if runtime.sentry_dsn is not None:

        async def check_in() -> None:
            telemetry.check_in("stewardmon", interval=EVERY)

        pings.append(check_in)
    return tuple(pings)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises StewardmonError: the port is taken, the host not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise StewardmonError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            "choose another address with --listen HOST:PORT"
        ) from None
    listening.setblocking(False)
    return listening


async def _until_signalled(runtime: Runtime, environ: Mapping[str, str]) -> None:
    def load_config() -> Config:
        return load(runtime.rules or default_rules(), environ)

    async with daemon(runtime, load_config=load_config) as running:
        log.info("listening", url=running.url, version=__version__)
        # What was loaded stays: collecting garbage need not look at it, and pauses stay short.
        gc.collect()
        gc.freeze()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        reloading: set[asyncio.Task[str]] = set()

        def reload() -> None:
            task = loop.create_task(running.app.reload(), name="reload")
            reloading.add(task)
            task.add_done_callback(reloading.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        await ended.wait()
        log.info("stopping")


def default_rules() -> Path | None:
    """Return ./rules where it is there: what a checkout and the container have."""
    folder = Path("rules")
    return folder if folder.is_dir() else None


async def _link_secret(store: Store) -> str:
    """Return the key that signs links: made once, kept in the state, so links outlive restarts."""
    saved = await store.load()
    known = saved.records.get(LINK_KEY, {}).get("value")
    if isinstance(known, str):
        return known
    made = secrets.token_urlsafe(32)
    await store.commit(Change(records={LINK_KEY: {"value": made}}))
    return made


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's loop where it is installed: probes cost a quarter less CPU on it."""
    try:
        import uvloop  # noqa: PLC0415  -- optional: not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
