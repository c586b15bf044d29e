"""The agent_metrics probe: real traffic's figures, from agent_logs or the app's own endpoint.

Series: stewardmon_agent_requests_per_second, stewardmon_agent_error_ratio,
stewardmon_agent_cache_hit_ratio, stewardmon_agent_response_seconds{quantile} (by the endpoint only
its mean), stewardmon_agent_metrics_up, stewardmon_agent_metrics_source{source}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.postgres_checks.app import agent_traffic
from stewardmon.probes.postgres_checks.check import CheckSettings
from stewardmon.probes.postgres_reader import DatabaseUrl
from stewardmon.probes.postgres_session import session
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.probes.rest import Answer, failed
from stewardmon.probes.steward import SignIn, StewardApp, refused

PATH: Final = "/api/monitoring/agent-metrics"
_SPANS: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_UP: Final = "stewardmon_agent_metrics_up"
_HEALTHY: Final = frozenset({"healthy", "ok", "up"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings(StewardApp):
    """The app's endpoint, over which span it is asked, and the database that knows better.

    With `database` the figures come from agent_logs, where it has that table: the endpoint is
    still asked and judged. `figures: false` is for those who have postgres_depth read agent_logs.
    """

    time_range: Literal["1h", "24h", "7d", "30d"] = "1h"
    database: DatabaseUrl | None = None
    figures: bool = True


class MetricsProbe:
    """Asks the app how its agent does."""

    def __init__(self, settings: MetricsSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._client = settings.client(user_agent)
        self._sign_in = SignIn(settings, settings.account, clock=clock, client=self._client)

    async def ask(self) -> Outcome:
        """Ask once: figures by SQL first, so that they stay when the endpoint fails."""
        by_sql = await self._by_sql()
        self.progress = Progress(*by_sql)
        try:
            told = _document(await self._fetched())
            figures = tuple(_figures(told, _SPANS[self.settings.time_range]))
        except Failure as failure:
            return failed(failure, self.progress)
        self.progress.note(Measurement(_UP, 1.0))
        if not by_sql and self.settings.figures:
            self.progress.note(*figures, _source("endpoint"))
        trouble = tuple(_trouble(told))
        progress = self.progress
        if trouble:
            first = Failure(Reason.FINDING, trouble[0], state=State.DEGRADED)
            return failed(first, progress, findings=trouble)
        return Outcome(
            state=State.UP,
            detail=f"{told['metrics']['totalQueries']} queries in {self.settings.time_range}",
            phases=progress.phases,
            measurements=progress.measurements(),
        )

    async def close(self) -> None:
        """Nothing is kept between asks but the session, which ends by itself."""

    async def _by_sql(self) -> tuple[Measurement, ...]:
        """Return the figures of agent_logs; none where they cannot be had."""
        database = self.settings.database
        if database is None or not self.settings.figures:
            return ()
        self.progress = Progress()
        try:
            async with session(
                parse_conninfo(database.get_secret_value()), self.progress, read_only=True
            ) as talk:
                found = await agent_traffic(talk, CheckSettings())
        except Failure:
            return ()
        return () if found.absent else (*found.measurements, _source("agent_logs"))

    async def _fetched(self) -> Answer:
        """Return the endpoint's 200, signing in anew once where the session is refused."""
        answer = await self._get()
        if answer.status in (401, 403):
            self._sign_in.forget()
            answer = await self._get()
        if answer.status == 200:
            return answer
        failure = refused(answer)
        # Versions of the app lack the path, and a limit is our own doing: neither is a failure.
        if failure.reason in (Reason.NOT_FOUND, Reason.RATE_LIMIT):
            self.progress.unsay(_UP)
        raise failure

    async def _get(self) -> Answer:
        self.progress.unsay(_UP)
        signed = await self._sign_in.session(self.progress)
        self.progress.note(Measurement(_UP, 0.0))  # until it is known to answer
        return await self._client.ask(
            f"{self.settings.url}{PATH}?timeRange={self.settings.time_range}",
            self.progress,
            headers={"Cookie": signed.header, "Accept": "application/json"},
        )


def _document(answer: Answer) -> Mapping[str, Any]:
    """Return the body, if it has the shape of PLATFORM.md section 1; raises Failure."""
    told = answer.document()
    metrics = told.get("metrics") if isinstance(told, dict) else None
    if not isinstance(metrics, dict):
        raise Failure(Reason.BODY, f"{answer.where} answers without metrics")
    for name in ("totalQueries", "successfulQueries", "failedQueries"):
        if not _is_number(metrics.get(name)) or metrics[name] < 0:
            raise Failure(Reason.BODY, f"{answer.where}: metrics.{name} is no count")
    return dict(told)


def _figures(told: Mapping[str, Any], span: timedelta) -> Iterator[Measurement]:
    """Yield the figures under the names of those by SQL; ratios of no traffic are no data."""
    metrics = told["metrics"]
    total = metrics["totalQueries"]
    rate = total / span.total_seconds()
    yield Measurement("stewardmon_agent_requests_per_second", rate)
    if not total:
        return
    failures = min(metrics["failedQueries"] / total, 1.0)
    yield Measurement("stewardmon_agent_error_ratio", failures)
    hits = metrics.get("cacheHitRate")
    if _is_number(hits) and 0 <= hits <= 100:
        yield Measurement("stewardmon_agent_cache_hit_ratio", hits / 100)
    mean = metrics.get("averageResponseTime")
    if _is_number(mean) and mean >= 0:
        label = {"quantile": "mean"}  # the endpoint tells no percentile
        yield Measurement("stewardmon_agent_response_seconds", mean / 1000, label)


def _trouble(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not add up, and what the endpoint itself calls unwell."""
    metrics = told["metrics"]
    parts = metrics["successfulQueries"] + metrics["failedQueries"]
    if parts != metrics["totalQueries"]:
        yield f"{metrics['totalQueries']} queries, but {parts} succeeded or failed"
    hits = metrics.get("cacheHitRate")
    if hits is not None and not (_is_number(hits) and 0 <= hits <= 100):
        yield "cacheHitRate is no share from 0 to 100"
    health = told.get("health")
    for name in ("status", "database", "cache"):
        word = health.get(name) if isinstance(health, dict) else None
        # A word of our own for each: what is unknown there is not unwell.
        if isinstance(word, str) and word.lower() not in _HEALTHY | {"unknown"}:
            yield f'its own {name} is "{excerpt(word, 40)}"'


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _source(name: str) -> Measurement:
    return Measurement("stewardmon_agent_metrics_source", 1.0, {"source": name})


def make(settings: MetricsSettings, shared: Context) -> MetricsProbe:
    """Build the probe."""
    return MetricsProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=MetricsSettings,
    make=make,
    cost=lambda settings: Cost(
        requests=1, connections=int(settings.figures and settings.database is not None)
    ),
    instance=lambda settings: parse_url(settings.url + PATH).shown,
)
