"""The health probe: the app's own word on itself, in the four shapes that its versions have had.

PLATFORM.md section 1: (a) the guide's; (b) with version and response time, `unknown` services,
degraded as 503; (c) as b, always healthy by a bug; (d) of database, storage, ocr and ai, degraded
as 200. The body is believed before the status, and our own probes before the body (HealthLies).

Series: those of the http probe, stewardmon_health_healthy, stewardmon_health_shape{shape},
stewardmon_health_service{service} (none for one that is unknown or left out).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.exchange import Reply
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes import expect as judging
from stewardmon.probes.expect import Complaint, Expect, Fresh
from stewardmon.probes.http import HttpProbe, HttpSettings, Url, decoded
from stewardmon.probes.jsonpath import parse_path
from stewardmon.settings import Duration, Field, FilePath, Settings

_WELL: Final = frozenset({"healthy", "ok", "up", "pass"})
_MILD: Final = frozenset({"degraded", "warning", "warn", "partial"})
_UNSEEN: Final = frozenset({"unknown", "unchecked", "skipped"})
_STATUS: Final = Expect()
_CACHED: Final = Expect(cached=False)
_MOST_SERVICES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings(Settings):
    """Where the app says how it is; `ignore` names services whose word is worth nothing.

    `ocr` says healthy whatever happens. `within` is how far the answer's time may be from ours.
    """

    url: Url
    ignore: tuple[str, ...] = ("ocr",)
    within: Duration = Field(default=timedelta(seconds=30), gt=timedelta(0))
    verify: bool | FilePath = True
    allow_private: bool | None = None

    def request(self) -> HttpSettings:
        """Return the http probe's settings that ask for it."""
        return HttpSettings(url=self.url, verify=self.verify, allow_private=self.allow_private)


class HealthProbe:
    """Asks one health endpoint."""

    def __init__(self, settings: HealthSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self._told: tuple[Measurement, ...] = ()
        self._http = HttpProbe(
            settings.request(), clock=clock, user_agent=user_agent, judge=self._judge
        )

    @property
    def progress(self) -> Progress:
        """Return how far the ask has come."""
        return self._http.progress

    async def ask(self) -> Outcome:
        """Ask once; what the body says goes before its status."""
        self._told = ()
        outcome = await self._http.ask()
        return replace(outcome, measurements=(*outcome.measurements, *self._told))

    async def close(self) -> None:
        """Nothing is kept between asks."""

    def _judge(
        self, settings: HttpSettings, reply: Reply, *, now: datetime
    ) -> tuple[bytes, list[Complaint]]:
        try:
            body = decoded(reply, limit=int(settings.body_limit))
        except Failure as failure:
            return b"", [Complaint(failure.state, failure.reason, failure.detail)]
        status = judging.judge_status(_STATUS, reply.status, reply.headers.get("location", ""))
        if reply.too_large:
            return body, [Complaint(State.DOWN, Reason.TOO_LARGE, "the body is too long")]
        told = _document(body)
        if told is None:
            odd = Complaint(
                State.DOWN, Reason.BODY, "the body is no health answer: no status in it"
            )
            return body, [status or odd]
        self._told = tuple(_measured(told, self.settings.ignore))
        words = list(_words(told, self.settings.ignore))
        complaints = [*words, *_contradictions(told, words, status)]
        if status is None or "timestamp" in told:
            fresh = Fresh(path=parse_path("timestamp"), within=self.settings.within)
            found = judging.judge_json(Expect(fresh=fresh), body, now=now)
            complaints.extend(found)
        complaints.extend(judging.judge_headers(_CACHED, reply.headers))
        return body, complaints


def _document(body: bytes) -> Mapping[str, Any] | None:
    """Return the body where it is a health answer, whatever else it holds."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("status"), str) else None


def shape(told: Mapping[str, Any]) -> str:
    """Return which of the app's versions speaks: a, b (c looks the same) or d."""
    if {"storage", "ocr", "ai"} & set(_services(told)):
        return "d"
    return "b" if "responseTime" in told or "version" in told else "a"


def _services(told: Mapping[str, Any]) -> Mapping[str, Any]:
    services = told.get("services")
    if not isinstance(services, dict):
        return {}
    return dict(list(services.items())[:_MOST_SERVICES])


def _word(value: Any) -> str:
    """Return a service's word in lower case; a version may wrap it in an object."""
    if isinstance(value, dict):
        value = value.get("status")
    if isinstance(value, bool):
        return "healthy" if value else "unhealthy"
    return value.strip().lower() if isinstance(value, str) else ""


def _judged(told: Mapping[str, Any], ignore: tuple[str, ...]) -> dict[str, str]:
    """Return the words of the services that are judged."""
    words = {name: _word(value) for name, value in _services(told).items() if name not in ignore}
    return {name: word for name, word in words.items() if word not in _UNSEEN}


def _words(told: Mapping[str, Any], ignore: tuple[str, ...]) -> Iterator[Complaint]:
    """Yield what the app says of itself that is not well."""
    services = _judged(told, ignore)
    for name, word in services.items():
        if word in _WELL:
            continue
        said = f'services.{excerpt(name, 40)} is "{excerpt(word, 40)}"'
        if word in _MILD:
            yield Complaint(State.DEGRADED, Reason.BODY, said)
        elif _our_doing(told, name):
            limited = f"{said}: the app's own limit of AI calls, which its health spends too"
            yield Complaint(State.DEGRADED, Reason.RATE_LIMIT, limited)
        else:
            yield Complaint(State.DOWN, Reason.BODY, said)
    word = _word(told["status"])
    if word in _WELL or (word in _MILD and _by_one_that_does_not_count(told, ignore)):
        return
    why = f': "{excerpt(str(told["error"]), 80)}"' if told.get("error") else ""
    state = State.DEGRADED if word in _MILD | _UNSEEN else State.DOWN
    yield Complaint(state, Reason.BODY, f'status is "{excerpt(word, 40)}"{why}')


def _by_one_that_does_not_count(told: Mapping[str, Any], ignore: tuple[str, ...]) -> bool:
    """Say whether all services that count are well, and one that does not is not."""
    counted = set(_judged(told, ignore).values())
    ignored = {_word(value) for name, value in _services(told).items() if name in ignore}
    return counted <= _WELL and not ignored <= _WELL


def _our_doing(told: Mapping[str, Any], service: str) -> bool:
    details = told.get("details")
    detail = details.get(service) if isinstance(details, dict) else None
    return isinstance(detail, str) and "AI_RATE_LIMIT" in detail


def _contradictions(
    told: Mapping[str, Any], words: list[Complaint], status: Complaint | None
) -> Iterator[Complaint]:
    """Yield where status code, status and services do not go together."""
    well = _word(told["status"]) in _WELL
    if well and words:
        yield Complaint(State.DOWN, Reason.CONTRADICTION, f"it says healthy, but {words[0].text}")
    if status is not None and not words:
        said = f"the body says {_word(told['status'])}, but {status.text}"
        # The body knows more than its status (PLATFORM.md's order of trust).
        state = State.DEGRADED if status.reason is Reason.STATUS else status.state
        yield Complaint(state, Reason.CONTRADICTION, said)


def _measured(told: Mapping[str, Any], ignore: tuple[str, ...]) -> Iterator[Measurement]:
    yield Measurement("stewardmon_health_healthy", float(_word(told["status"]) in _WELL))
    yield Measurement("stewardmon_health_shape", 1.0, {"shape": shape(told)})
    for name, word in _judged(told, ignore).items():
        label = {"service": excerpt(name, 40)}
        yield Measurement("stewardmon_health_service", float(word in _WELL), label)


def make(settings: HealthSettings, shared: Context) -> HealthProbe:
    """Build the probe."""
    return HealthProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=HealthSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=lambda settings: settings.request().endpoint.shown,
)
