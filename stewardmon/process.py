"""The process around the service: a port, the configuration, signals, an orderly end.

What is imported here is what the first asks need: the service with its rules, state and pages is
loaded beside them.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import structlog

from stewardmon import __version__, telemetry
from stewardmon.clock import SystemClock
from stewardmon.config.environment import Runtime
from stewardmon.config.values import Config
from stewardmon.engine.early import asking
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock, Context
from stewardmon.probes import KINDS

if TYPE_CHECKING:
    from stewardmon.app import App
    from stewardmon.engine.live import Live

log = structlog.get_logger()

SWITCH_SECONDS: Final = 0.0001
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # malloc.h
MAPPED_FROM: Final = 256 * 1024  # bytes
COLLECT_AFTER: Final = 2_000  # new objects; Python's own 700 is a handful of asks
NEVER: Final = 1_000_000  # collections of younger garbage before one of all that there is
SPARE_EVERY: Final = 1.0  # seconds
SPARE_AFTER: Final = 1_000  # new series: with what hangs on them some 10 ms of looking through
COLLECT_EVERY: Final = 300  # times as long
LATE_AT_MOST: Final = 60  # times as long, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A daemon that is up: its app, and where its pages are."""

    app: App
    url: str


def main(runtime: Runtime, load_config: Callable[[], Config]) -> None:
    """Run the daemon until a signal ends it. Raises StewardmonError where it cannot start."""
    telemetry.configure_logs(level=runtime.log_level, environment=runtime.environment)
    if runtime.sentry_dsn is not None:
        telemetry.start_sentry(
            runtime.sentry_dsn.get_secret_value(),
            environment=runtime.environment,
            release=__version__,
        )
    run(_until_signalled(runtime, load_config))


def run(whole: Coroutine[Any, Any, None]) -> None:
    """Run a daemon to its end in a process that is its own: on its loop, with its memory."""
    # The thread that writes the state gets its turn at once: an acknowledgement waits for it.
    sys.setswitchinterval(SWITCH_SECONDS)
    _tight_heap()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(whole)


def _tight_heap() -> None:
    """Have the C library hold on to little, where it is glibc.

    One heap for all threads: one each would take memory. Large blocks are mapped, and go back to
    the system when they are let go: glibc raises the size from which that is so to that of the
    largest let go, up to 32 MB, and then keeps holes of that size in the heap (30 MB, measured).
    """
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)


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
    clock = clock or SystemClock()
    with bind(runtime.host, runtime.port) as listening:
        # Another process reads the files meanwhile: what nearly every one of them asks for.
        for name in ("stewardmon.channels.webhook", "stewardmon.probes.http"):
            import_module(name)
        config = load_config()
        context = Context(clock=clock, user_agent=f"stewardmon/{__version__}")
        async with asking(config.probes, context, kinds=KINDS, bug=telemetry.report_bug) as early:
            # In a thread, so that the answers' times are not those of our imports.
            service = await asyncio.to_thread(import_module, "stewardmon.service")
            gc.enable()  # off since exec (see cli.run)
            opening = service.Opening(
                runtime=runtime,
                listening=listening,
                config=config,
                load=load_config,
                clock=clock,
                early=early,
            )
            async with service.serving(opening) as (app, url):
                yield Running(app=app, url=url)


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


async def _until_signalled(runtime: Runtime, load_config: Callable[[], Config]) -> None:
    async with daemon(runtime, load_config=load_config) as running:
        log.info("listening", url=running.url, version=__version__)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        sparing = loop.create_task(spare_collector(running.app.live), name="collector")
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        reloading: set[asyncio.Task[str]] = set()

        def reload() -> None:
            task = loop.create_task(running.app.reload(), name="reload")
            reloading.add(task)
            task.add_done_callback(reloading.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        await ended.wait()
        sparing.cancel()
        log.info("stopping")


async def spare_collector(live: Live) -> None:
    """Keep the garbage collector from what was loaded, and from the series that came since.

    They stay. Of 10,000 probes they are a million objects: by Python's own thresholds all of them
    are looked at every few seconds, for half a second each time (measured). Old garbage is looked
    for when many series came, soon, so that each look is short, and every few minutes; not while
    somebody answers a page, who would wait for it.
    """
    clock = SystemClock()
    gc.set_threshold(COLLECT_AFTER, 10, NEVER)
    spared = -1
    rounds = late = 0
    while True:
        held = len(live.series)
        grown = held > spared + min(spared // 8, SPARE_AFTER)
        due = grown or rounds >= COLLECT_EVERY
        if due and (late >= LATE_AT_MOST or not live.responder.turns.attended):
            gc.collect()
            if grown:
                gc.freeze()
                spared = held
            rounds = late = 0
        rounds += 1
        late += due
        await clock.sleep(SPARE_EVERY)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's loop where it is installed: probes cost a quarter less CPU on it."""
    try:
        import uvloop  # noqa: PLC0415  -- optional: not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
