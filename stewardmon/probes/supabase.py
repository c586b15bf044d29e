"""The supabase probe: auth, REST and storage answer, and row level security holds.

Series: stewardmon_supabase_service_up{service}, stewardmon_supabase_service_seconds{service},
stewardmon_supabase_rls_exposed{table} (1 where a stranger's key is told of rows).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Final, Literal

import orjson
from psycopg import sql

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.http import HeaderValue
from stewardmon.probes.postgres_reader import DatabaseUrl
from stewardmon.probes.postgres_session import session
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.probes.rest import Answer, Client, failed, summed
from stewardmon.settings import AfterValidator, Field, FilePath, Secret, Settings

Service = Literal["auth", "rest", "storage"]
_PATHS: Final[Mapping[str, str]] = {
    "auth": "/auth/v1/health",
    "rest": "/rest/v1/",
    "storage": "/storage/v1/status",
}
_TOTAL: Final = re.compile(r"/(\d{1,18})$")
_TABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _base(value: str) -> str:
    parse_url(value)
    return value.rstrip("/")


def _table(value: str) -> str:
    if not _TABLE.fullmatch(value):
        raise ValueError("a table's name is letters, digits and underscores")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SupabaseSettings(Settings):
    """One project: its URL, the key that browsers hold, and the tables that strangers must not see.

    `database` is asked whether a table that shows nothing holds anything: only then has row level
    security shown itself. With `email` and `password` a synthetic user signs in.
    """

    url: Annotated[str, AfterValidator(_base)]
    anon_key: HeaderValue
    services: tuple[Service, ...] = ("auth", "rest", "storage")
    tables: tuple[Annotated[str, AfterValidator(_table)], ...] = Field(default=(), max_length=20)
    database: DatabaseUrl | None = None
    email: str | None = None
    password: Secret | None = None
    verify: bool | FilePath = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one question brought: measurements, and what is wrong, if anything."""

    measurements: tuple[Measurement, ...] = ()
    failure: Failure | None = None
    note: str = ""


class SupabaseProbe:
    """Asks one project, all questions at once."""

    def __init__(self, settings: SupabaseSettings, *, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        key = settings.anon_key.get_secret_value()
        headers = {"apikey": key}
        if key.startswith("eyJ"):  # the newer publishable keys are no bearer tokens
            headers["Authorization"] = f"Bearer {key}"
        self._client = Client(user_agent=user_agent, verify=settings.verify, headers=headers)

    async def ask(self) -> Outcome:
        """Ask once; an open table is worse than a service that is down."""
        progress = self.progress = Progress()
        progress.enter("processing")
        async with asyncio.TaskGroup() as group:
            services = [
                group.create_task(self._service(name), name=f"supabase:{name}")
                for name in self.settings.services
            ]
            tables = [
                group.create_task(self._exposed(name), name=f"supabase:{name}")
                for name in self.settings.tables
            ]
            if self.settings.email is not None:
                services.append(group.create_task(self._sign_in(), name="supabase:sign-in"))
        progress.leave()
        found = [task.result() for task in (*tables, *services)]
        failures = [one.failure for one in found if one.failure is not None]
        notes = tuple(one.note for one in found if one.note)
        measurements = tuple(number for one in found for number in one.measurements)
        if failures:
            return _worst(failures, progress, measurements, notes)
        return Outcome(
            state=State.UP,
            detail=f"{', '.join(self.settings.services)} answer{_closed(self.settings)}",
            phases=progress.phases,
            measurements=(*progress.measurements(), *measurements),
            findings=notes,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _service(self, name: str) -> _Found:
        label = {"service": name}
        started = perf_counter()
        failure = None
        try:
            answer = await self._client.ask(self.settings.url + _PATHS[name], Progress())
            # Newer projects list the REST schema only to the service role: that REST answers at
            # all, with PostgREST's own refusal, is what was asked.
            if not (name == "rest" and answer.status in (401, 403) and b'"code"' in answer.body):
                answer.expect_ok()
        except Failure as error:
            failure = Failure(error.reason, f"{name}: {error.detail}", state=error.state)
        took = perf_counter() - started
        return _Found(
            measurements=(
                Measurement("stewardmon_supabase_service_up", float(failure is None), label),
                Measurement("stewardmon_supabase_service_seconds", took, label),
            ),
            failure=failure,
        )

    async def _sign_in(self) -> _Found:
        """Sign the synthetic user in; what comes back is not kept."""
        password = self.settings.password
        body = {
            "email": self.settings.email,
            "password": "" if password is None else password.get_secret_value(),
        }
        failure = None
        try:
            answer = await self._client.ask(
                self.settings.url + "/auth/v1/token?grant_type=password",
                Progress(),
                method="POST",
                headers={"Content-Type": "application/json"},
                body=orjson.dumps(body),
            )
            _signed_in(answer)
        except Failure as error:
            failure = Failure(error.reason, f"sign-in: {error.detail}", state=error.state)
        label = {"service": "sign-in"}
        up = Measurement("stewardmon_supabase_service_up", float(failure is None), label)
        return _Found(measurements=(up,), failure=failure)

    async def _exposed(self, table: str) -> _Found:
        """Ask how many rows a stranger may count: HEAD, so that none of them is sent."""
        try:
            answer = await self._client.ask(
                f"{self.settings.url}/rest/v1/{table}?select=*",
                Progress(),
                method="HEAD",
                headers={"Prefer": "count=exact"},
            )
        except Failure as error:
            return _Found(
                failure=Failure(error.reason, f"{table}: {error.detail}", state=error.state)
            )
        label = {"table": table}
        if answer.status == 404:
            return _Found(note=f"{table} is not exposed, or there is no such table")
        if answer.status in (401, 403):
            return _Found(measurements=(Measurement(_RLS, 0.0, label),))
        if answer.status not in (200, 206):
            detail = f"{table}: {answer.where} answered {answer.status}"
            return _Found(failure=Failure(Reason.STATUS, detail))
        total = _TOTAL.search(answer.headers.get("content-range", ""))
        if total is None:
            detail = f"{table}: the answer counts no rows (Content-Range is missing)"
            return _Found(failure=Failure(Reason.HEADER, detail, state=State.DEGRADED))
        if int(total[1]) > 0:
            detail = f"strangers can read {table}: row level security lets them see {total[1]} rows"
            exposed = (Measurement(_RLS, 1.0, label),)
            return _Found(measurements=exposed, failure=Failure(Reason.EXPOSED, detail))
        return _Found(measurements=(Measurement(_RLS, 0.0, label),), note=await self._proven(table))

    async def _proven(self, table: str) -> str:
        """Return why nothing seen proves nothing; empty where the table does hold rows."""
        if self.settings.database is None:
            return f"{table} shows no rows; whether it holds any was not asked"
        parameters = parse_conninfo(self.settings.database.get_secret_value())
        query = sql.SQL("SELECT EXISTS (SELECT FROM {}) AS filled").format(sql.Identifier(table))
        try:
            async with session(parameters, Progress(), read_only=True) as talk:
                row = await talk.row(query.as_string())
        except Failure as error:
            return f"{table} shows no rows; whether it holds any is not known: {error.detail}"
        return "" if row.get("filled") else f"{table} is empty: row level security was not tried"


def _signed_in(answer: Answer) -> None:
    if answer.status in (400, 401, 403, 422):
        detail = f"{answer.where} refuses the synthetic user"
        raise Failure(Reason.AUTH, detail, state=State.MISCONFIGURED)
    session = answer.document()
    if not isinstance(session, dict) or not session.get("access_token"):
        raise Failure(Reason.BODY, f"{answer.where} answered without a session")


_RLS: Final = "stewardmon_supabase_rls_exposed"
_ORDER: Final = (State.DOWN, State.MISCONFIGURED, State.DEGRADED, State.UNKNOWN)


def _worst(
    failures: list[Failure],
    progress: Progress,
    measurements: tuple[Measurement, ...],
    notes: tuple[str, ...],
) -> Outcome:
    failures.sort(key=lambda one: (one.reason is not Reason.EXPOSED, _ORDER.index(one.state)))
    lines = tuple(dict.fromkeys(one.detail for one in failures))
    first = failures[0]
    told = Failure(first.reason, summed(lines), state=first.state)
    return failed(told, progress, measurements, findings=(*lines, *notes))


def _closed(settings: SupabaseSettings) -> str:
    return f"; strangers see no row of {', '.join(settings.tables)}" if settings.tables else ""


def make(settings: SupabaseSettings, shared: Context) -> SupabaseProbe:
    """Build the probe."""
    return SupabaseProbe(settings, user_agent=shared.user_agent)


def _cost(settings: SupabaseSettings) -> Cost:
    asked = len(settings.services) + len(settings.tables) + (settings.email is not None)
    return Cost(requests=asked, connections=len(settings.tables) if settings.database else 0)


KIND: Final = Kind(
    settings=SupabaseSettings,
    make=make,
    cost=_cost,
    instance=lambda settings: parse_url(settings.url).shown,
)
