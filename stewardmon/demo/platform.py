"""The simulated platform, whole: real servers on loopback over a real PostgreSQL."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from starlette.types import ASGIApp

from stewardmon.clock import SystemClock
from stewardmon.demo.ai_client import AiClient
from stewardmon.demo.app import build_app
from stewardmon.demo.backups import Backups
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.certificates import Certificates
from stewardmon.demo.control import Control
from stewardmon.demo.database import Database
from stewardmon.demo.database_faults import BARRIERS, network_effects, sql_effects
from stewardmon.demo.deployment import Deployment
from stewardmon.demo.faults import Faults, Parameters
from stewardmon.demo.identity import Identity, User
from stewardmon.demo.limits import Limits
from stewardmon.demo.logs import Logs
from stewardmon.demo.noise import Noise
from stewardmon.demo.openai import OpenAI
from stewardmon.demo.parts import Parts
from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.demo.project import make_project
from stewardmon.demo.sentry import PROJECT, Sentry
from stewardmon.demo.serving import Disturbance, Listener, garbage, reset
from stewardmon.demo.supabase import Supabase
from stewardmon.demo.vendor_status import VendorStatus
from stewardmon.domain.quantity import format_duration

CACHE_TTL: Final = timedelta(hours=1)  # the guide's
_CONNECTIONS: Final = 40


class Platform:
    """Steward on loopback: app, database, Supabase, AI vendor, and what can go wrong with them.

    `cache_ttl` is how long the app keeps an answer: one of seconds can be waited for.
    `now` is the platform's clock; waits (a slow answer, a stream's pauses) are real seconds of
    the event loop. With a `server` of the caller's, that one is started if need be, and left
    running. `start` and `stop` may be called from different tasks.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] | None = None,
        server: PostgresServer | None = None,
        limits: Limits | None = None,
        noise: Noise | None = None,
        cache_ttl: timedelta = CACHE_TTL,
    ) -> None:
        self.now: Callable[[], datetime] = now or SystemClock().now
        self.faults = Faults()
        self.identity = Identity()
        self.limits = limits or Limits()
        self.noise = noise
        self.cache_ttl = cache_ttl
        self.deployment = Deployment(self.now)
        self._server = server
        self._stack = AsyncExitStack()
        self._host = "127.0.0.1"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1") -> None:
        """Start everything; all addresses answer when this returns."""
        self._host = host
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Switch every fault off, free whoever waits, and stop everything that was started."""
        await self._stack.aclose()

    def deploy(self, version: str) -> None:
        """Put another version of the app live."""
        self.deployment.deploy(version)

    @property
    def user(self) -> User:
        """The synthetic user, whose sum a probe compares with SQL's."""
        return self.identity.users[0]

    @property
    def other_user(self) -> User:
        """A second user, who must not see the first one's answers."""
        return self.identity.users[1]

    @property
    def openai_url(self) -> str:
        """The AI vendor's base URL."""
        return self.openai_root_url + "/v1"

    @property
    def database_url(self) -> str:
        """The app's role and password, through the proxy that faults act on."""
        return self.database.url

    @property
    def direct_database_url(self) -> str:
        """The app's role and password, past the proxy."""
        return self.database.direct_url

    @property
    def monitor_database_url(self) -> str:
        """The monitoring role, through the proxy."""
        return self.database.monitor_url

    @property
    def sentry_dsn(self) -> str:
        """The error tracker's DSN."""
        return self.sentry_url.replace("://", "://public@") + f"/{PROJECT}"

    def environment(self) -> dict[str, str]:
        """Return the guide's variables, and the few more that deeper probes ask for."""
        identity = self.identity
        return {
            "DATABASE_URL": self.database_url,
            "DIRECT_URL": self.direct_database_url,
            "MONITOR_DATABASE_URL": self.monitor_database_url,
            "NEXT_PUBLIC_APP_URL": self.app_url,
            "APP_TLS_URL": self.app_tls_url,
            "APP_TLS_ADDRESS": self.app_tls_url.partition("://")[2],
            "CA_FILE": str(self.ca_file),
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_ANON_KEY": identity.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": identity.service_role_key,
            "OPENAI_API_KEY": identity.openai_key,
            "OPENAI_ADMIN_KEY": identity.openai_admin_key,
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_MODEL": "gpt-4o-mini",
            "OPENAI_STATUS_URL": self.status_url,
            "SYNTHETIC_EMAIL": self.user.email,
            "SYNTHETIC_PASSWORD": self.user.password,
            "OTHER_EMAIL": self.other_user.email,
            "OTHER_PASSWORD": self.other_user.password,
            "AGENT_CACHE_TTL": format_duration(self.cache_ttl),
            "SUPABASE_ACCESS_TOKEN": identity.supabase_access_token,
            "SUPABASE_API_URL": self.supabase_url,
            "BACKUP_DIR": str(self.backup_dir),
            "LOG_DIR": str(self.log_dir),
            "PROJECT_DIR": str(self.project_dir),
            # Not SENTRY_DSN: that would take our own errors.
            "PLATFORM_SENTRY_DSN": self.sentry_dsn,
            "PLATFORM_SENTRY_EVENTS": f"{self.sentry_url}/api/0/projects/steward/app/events/",
            "QUESTIONS_A_MINUTE": str(self.limits.per_user or 1000),
            "NODE_ENV": "production",
            "LOG_LEVEL": "info",
        }

    async def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="stewardmon-demo-")
        self._stack.callback(folder.cleanup)
        server = await self._running_server()
        self.database = Database(server, self.identity, self._host)
        self._stack.push_async_callback(self.database.close)
        await self.database.create(now=self.now())
        self._certificates = Certificates(Path(folder.name), self.now)
        self.ca_file = self._certificates.authority_file
        await self._make_files(Path(folder.name))
        await self._serve()
        self._bind()
        # Last in, first out: faults are repaired while everything still stands.
        self._stack.push_async_callback(self.faults.close)

    async def _running_server(self) -> PostgresServer:
        if self._server is not None:
            if not self._server.running:
                await asyncio.to_thread(self._server.start)
            return self._server
        server = PostgresServer(settings=_settings())
        self._stack.push_async_callback(asyncio.to_thread, server.close)
        await asyncio.to_thread(server.start)
        return server

    async def _make_files(self, folder: Path) -> None:
        self.backup_dir, self.log_dir = folder / "backups", folder / "logs"
        self.project_dir = make_project(folder / "project")
        self.backups = Backups(self.backup_dir, self.database, self.now)
        self.logs = Logs(
            self.log_dir,
            faults=self.faults,
            identity=self.identity,
            deployment=self.deployment,
            now=self.now,
        )
        self.logs.make()
        if (find_programs() / "pg_dump").exists():
            await self.backups.make()
            self.faults.bind(self.backups.effects())

    async def _serve(self) -> None:
        now, faults, identity = self.now, self.faults, self.identity
        vendor = OpenAI(faults, identity, now, self.noise)
        self._openai = await self._listen(vendor.app)
        self.openai_root_url = self._openai.url
        self.status_url = (await self._listen(VendorStatus(faults, now).app)).url
        self.sentry = Sentry(faults, now)
        self.sentry_url = (await self._listen(self.sentry.app)).url
        self.supabase_url = (
            await self._listen(Supabase(faults, identity, self.database, now).app)
        ).url
        ai = AiClient(self.openai_url, identity.openai_key, pause=faults.pause)
        self._stack.push_async_callback(ai.close)
        parts = Parts(
            faults=faults,
            identity=identity,
            database=self.database,
            ai=ai,
            deployment=self.deployment,
            limits=self.limits,
            noise=self.noise,
            logs=self.logs,
            now=now,
            origin=lambda: self.app_url,
            cache_ttl=self.cache_ttl,
        )
        app = build_app(parts)
        self._app = await self._listen(app)
        self.app_url = self._app.url
        self._app_tls = await self._listen(app, tls=True)
        self.app_tls_url = self._app_tls.url
        control = Control(faults, deploy=self.deploy, about=self._about)
        self.control_url = (await self._listen(control.app)).url

    async def _listen(self, app: ASGIApp, *, tls: bool = False) -> Listener:
        listener = Listener(app, self._host, tls=self._certificates.context if tls else None)
        self._stack.push_async_callback(listener.close)
        await listener.open()
        return listener

    def _bind(self) -> None:
        self.faults.bind(network_effects(self.database))
        self.faults.bind(sql_effects(self.database), barriers=BARRIERS)
        self.faults.bind(self._certificates.effects())
        apps = (self._app, self._app_tls)
        self.faults.bind(
            {
                Fault.APP_DOWN: partial(_refused, apps),
                Fault.APP_RESET: partial(_disturbed, apps, reset),
                Fault.APP_GARBAGE: partial(_disturbed, apps, garbage),
                Fault.OPENAI_DOWN: partial(_refused, (self._openai,)),
            }
        )

    def _about(self) -> dict[str, Any]:
        return {
            "what": "the control address of a simulated Steward platform",
            "app": self.app_url,
            "version": self.deployment.version,
            "active": sorted(self.faults.active()),
            "try": ["GET /faults", "POST /faults/{name}", "DELETE /faults/{name}", "POST /deploy"],
        }


@asynccontextmanager
async def _refused(listeners: tuple[Listener, ...], _: Parameters) -> AsyncIterator[None]:
    for listener in listeners:
        await listener.refuse()
    yield
    for listener in listeners:
        await listener.open()


@asynccontextmanager
async def _disturbed(
    listeners: tuple[Listener, ...], disturbance: Disturbance, _: Parameters
) -> AsyncIterator[None]:
    for listener in listeners:
        listener.disturbance = disturbance
    yield
    for listener in listeners:
        listener.disturbance = None


def _settings() -> Mapping[str, str]:
    """Return what our own server is started with: statements counted, where the module is there."""
    settings = {"max_connections": str(_CONNECTIONS)}
    library = find_programs().parent / "lib"
    if any(library.rglob("pg_stat_statements.so")):
        settings["shared_preload_libraries"] = "pg_stat_statements"
    return settings
