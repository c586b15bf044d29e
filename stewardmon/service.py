"""The service: the state opened, the app and its pages over it, until the block ends."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from stewardmon import __version__, metrics, telemetry
from stewardmon.app import App, Parts
from stewardmon.channels.http_client import HttpSender, Request
from stewardmon.channels.settings import HttpSettings
from stewardmon.clock import SystemClock
from stewardmon.config.environment import Runtime
from stewardmon.config.values import Config
from stewardmon.domain.change import Change
from stewardmon.engine import lag
from stewardmon.engine.deadman import EVERY, Ping
from stewardmon.engine.early import Early
from stewardmon.engine.lead import keep_leading, wait_to_lead
from stewardmon.errors import DeposedError
from stewardmon.ports import Clock, Context, Store
from stewardmon.stores import leadership, open_store
from stewardmon.stores.leadership import Leadership
from stewardmon.web.guard import LOOPBACK, Access
from stewardmon.web.links import Links
from stewardmon.web.server import Server

LINK_KEY: Final = ("secret", "links")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a daemon has when it opens: its settings, a bound port, and the first asks under way."""

    runtime: Runtime
    listening: socket.socket
    config: Config
    load: Callable[[], Config]
    clock: Clock
    early: Early


@asynccontextmanager
async def serving(opening: Opening) -> AsyncIterator[tuple[App, str]]:
    """Open the state, wait until this process may lead, and serve; yields where the pages are.

    Raises DeposedError when this process has led and another does now.
    """
    runtime, clock = opening.runtime, opening.clock
    url = _address(runtime, opening.listening)
    # In threads: the first asks are under way, and their answers are timed.
    store, history = await asyncio.to_thread(open_store, runtime.state)
    await store.open()
    await history.open()
    right = await _led(store, clock)
    public = runtime.public_url or url
    links = Links(await _link_secret(store), public, clock)
    parts = Parts(
        clock=clock,
        store=store,
        history=history,
        config=opening.config,
        load=opening.load,
        links=links.of,
        signs_of_life=_signs_of_life(runtime, clock),
        location=runtime.location or socket.gethostname(),
        external_url=public,
        early=opening.early,
    )
    app = await asyncio.to_thread(App, parts)
    server = Server(app.live, links=links, access=_access(runtime), listening=opening.listening)
    metrics.BUILD.labels(__version__).set(1)
    try:
        await app.start()
        async with asyncio.TaskGroup() as loops:
            tasks = [
                loops.create_task(app.run(), name="app"),
                loops.create_task(server.run(), name="web"),
                loops.create_task(keep_leading(right, app.live.ledger, clock), name="lead"),
                loops.create_task(lag.measure(SystemClock()), name="lag"),
            ]
            try:
                yield app, url
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as group:
        raise _deposed(group) or group from None
    finally:
        await app.close()
        await right.release()


def _address(runtime: Runtime, listening: socket.socket) -> str:
    host = f"[{runtime.host}]" if ":" in runtime.host else runtime.host
    return f"http://{host}:{listening.getsockname()[1]}"


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


async def _link_secret(store: Store) -> str:
    """Return the key that signs links: made once, kept in the state, so links outlive restarts."""
    saved = await store.load()
    known = saved.records.get(LINK_KEY, {}).get("value")
    if isinstance(known, str):
        return known
    made = secrets.token_urlsafe(32)
    await store.commit(Change(records={LINK_KEY: {"value": made}}))
    return made
