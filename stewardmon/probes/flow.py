"""The flow probe: several requests in a row, each with what the ones before it brought.

Cookies are kept from step to step; captured values stand as {{name}} in later paths, headers and
bodies. Series: stewardmon_flow_step_up{step}, stewardmon_flow_step_seconds{step},
stewardmon_flow_phase_seconds{step, phase}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from time import perf_counter
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import orjson

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.certificates import context
from stewardmon.network.endpoint import parse_url
from stewardmon.network.exchange import Reply, exchange, request
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes import expect as judging
from stewardmon.probes.expect import Expect, Path
from stewardmon.probes.http import Header, HeaderValue, decoded
from stewardmon.probes.rest import LIMIT, failed
from stewardmon.settings import AfterValidator, Field, FilePath, Secret, Settings

_VALUE: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,40})\s*\}\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
_LONGEST: Final = 8000  # characters of a captured value: it must fit into a header
_HIDE_FROM: Final = 4  # shorter values say nothing, and hiding them would garble sentences


def _base(value: str) -> str:
    parse_url(value)
    return value.rstrip("/")


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError("a step's path starts with one slash: its host is the flow's")
    parse_url("http://host" + _VALUE.sub("x", value))
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is no name: letters, digits and underscores")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Settings):
    """Where a value comes from: exactly one of a JSON path, a header and a cookie."""

    json_: Path | None = Field(default=None, alias="json")
    header: str | None = None
    cookie: str | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.json_, self.header, self.cookie)) != 1:
            raise ValueError("one of json, header and cookie")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Settings):
    """One request and what its answer must be; `json` is sent as such, `body` as it stands.

    `url` asks another host than the flow's, which must be written out.
    """

    name: Annotated[str, AfterValidator(_name)]
    path: Annotated[str, AfterValidator(_path)] = "/"
    url: Annotated[str, AfterValidator(_base)] | None = None
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: Mapping[Header, HeaderValue] = Field(default_factory=dict)
    body: Secret | None = None
    json_: Secret | None = Field(default=None, alias="json")
    expect: Expect = Field(default_factory=Expect)
    capture: Mapping[Annotated[str, AfterValidator(_name)], Capture] = Field(default_factory=dict)

    def wanted(self) -> set[str]:
        """Return the captured names that the request needs."""
        texts = [self.path, *(value.get_secret_value() for value in self.headers.values())]
        texts += [one.get_secret_value() for one in (self.body, self.json_) if one is not None]
        return {name for text in texts for name in _VALUE.findall(text)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings(Settings):
    """The steps, in their order, at one address; redirects are answers and not followed.

    `allow_private: false` refuses private addresses.
    """

    url: Annotated[str, AfterValidator(_base)]
    steps: tuple[Step, ...] = Field(min_length=1, max_length=20)
    verify: bool | FilePath = True
    allow_private: bool | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        names: set[str] = set()
        for step in self.steps:
            if step.name in names:
                raise ValueError(f"two steps are called {step.name}")
            names.add(step.name)
            for missing in sorted(step.wanted() - seen):
                raise ValueError(f"step {step.name} needs {missing}, which no step before captures")
            seen |= set(step.capture)


class FlowProbe:
    """Walks one flow."""

    def __init__(self, settings: FlowSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = clock
        self._user_agent = user_agent

    async def ask(self) -> Outcome:
        """Walk once, as far as the steps are as they should be."""
        self.progress = Progress()
        walk = _Walk(self.settings)
        started = perf_counter()
        for step in self.settings.steps:
            try:
                await self._take(step, walk)
            except Failure as failure:
                told = Failure(
                    failure.reason,
                    walk.hidden(f"step {step.name}: {failure.detail}"),
                    state=failure.state,
                )
                return failed(told, self.progress)
        took = perf_counter() - started
        return Outcome(
            state=State.UP,
            detail=f"{len(self.settings.steps)} steps in {took:.2f} s",
            phases=self.progress.phases,
            measurements=self.progress.known,
        )

    async def close(self) -> None:
        """Nothing is kept between walks."""

    async def _take(self, step: Step, walk: _Walk) -> None:
        """Take one step; raises Failure."""
        label = {"step": step.name}
        up = "stewardmon_flow_step_up"
        before = self.progress.known
        progress = self.progress = Progress(*before, Measurement(up, 0.0, label))
        started = perf_counter()
        asked = walk.request(step, self._user_agent)
        reply = await exchange(
            asked, progress, limit=LIMIT, guard=self.settings.allow_private is False
        )
        body = _judged(step, reply, now=self._clock.now())
        walk.learn(step, reply, body)
        progress.leave()
        self.progress = Progress(
            *before,
            Measurement(up, 1.0, label),
            Measurement("stewardmon_flow_step_seconds", perf_counter() - started, label),
            *(
                Measurement("stewardmon_flow_phase_seconds", took, {**label, "phase": phase})
                for phase, took in progress.phases.items()
            ),
        )
        for phase, took in progress.phases.items():
            self.progress.phases[phase] = took


class _Walk:
    """What one walk has learned: captured values and cookies, all of them secrets."""

    def __init__(self, settings: FlowSettings) -> None:
        self._settings = settings
        self._values: dict[str, str] = {}
        self._cookies: dict[str, dict[str, str]] = {}

    def request(self, step: Step, user_agent: str) -> Any:
        """Return the step's request, captured values in their places; raises Failure."""
        base = step.url or self._settings.url
        path = _VALUE.sub(lambda one: quote(self._values[one[1]], safe=""), step.path)
        try:
            endpoint = parse_url(base + path)
        except ValueError:
            raise Failure(Reason.REQUEST, "what was captured makes no address") from None
        headers = {
            name: _VALUE.sub(lambda one: self._values[one[1]], value.get_secret_value())
            for name, value in step.headers.items()
        }
        if any(re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value) for value in headers.values()):
            raise Failure(Reason.REQUEST, "what was captured cannot stand in a header")
        cookies = self._cookies.get(endpoint.authority, {})
        if cookies:
            headers.setdefault("Cookie", "; ".join(f"{n}={v}" for n, v in cookies.items()))
        body = b""
        if step.json_ is not None:
            headers.setdefault("Content-Type", "application/json")
            text = step.json_.get_secret_value()
            body = _VALUE.sub(lambda one: _escaped(self._values[one[1]]), text).encode()
        elif step.body is not None:
            text = step.body.get_secret_value()
            body = _VALUE.sub(lambda one: self._values[one[1]], text).encode()
        return request(
            endpoint,
            method=step.method,
            headers=headers,
            body=body,
            tls=context(self._settings.verify) if endpoint.secure else None,
            user_agent=user_agent,
        )

    def learn(self, step: Step, reply: Reply, body: bytes) -> None:
        """Keep the cookies that were set, and what is captured; raises Failure."""
        authority = parse_url(step.url or self._settings.url).authority
        jar = self._cookies.setdefault(authority, {})
        fresh = dict(_set_cookies(reply))
        jar.update({name: value for name, value in fresh.items() if value})
        for name, value in fresh.items():
            if not value:
                jar.pop(name, None)
        for name, capture in step.capture.items():
            captured = _captured(capture, reply, body, jar)
            if captured is None or len(captured) > _LONGEST:
                why = "is not there" if captured is None else "is too long"
                raise Failure(Reason.BODY, f"{name}, which is to be captured, {why}")
            self._values[name] = captured

    def hidden(self, text: str) -> str:
        """Return a sentence without any value that was captured or set as a cookie."""
        secrets = [
            *self._values.values(),
            *(v for jar in self._cookies.values() for v in jar.values()),
        ]
        for value in sorted(secrets, key=len, reverse=True):
            if len(value) >= _HIDE_FROM:
                text = text.replace(value, "…")
        return text


def _judged(step: Step, reply: Reply, *, now: datetime) -> bytes:
    """Return the body of an answer that is as expected; raises Failure."""
    expect = step.expect
    body = decoded(reply, limit=LIMIT)
    status = judging.judge_status(expect, reply.status, reply.headers.get("location", ""))
    complaints = [status] if status is not None else []
    if status is None:
        if reply.too_large:
            raise Failure(Reason.TOO_LARGE, f"the body is longer than {LIMIT >> 20} MiB")
        complaints += judging.judge_headers(expect, reply.headers)
        complaints += judging.judge_json(expect, body, now=now)
        complaints += judging.judge_body(expect.body, body)
    if complaints:
        first = judging.worst(complaints)
        raise Failure(first.reason, first.text, state=first.state)
    return body


def _captured(capture: Capture, reply: Reply, body: bytes, jar: Mapping[str, str]) -> str | None:
    if capture.header is not None:
        return reply.headers.get(capture.header.lower())
    if capture.cookie is not None:
        return jar.get(capture.cookie)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    found = next(capture.json_.find(document), None) if capture.json_ is not None else None
    if found is None or isinstance(found[1], dict | list | type(None)):
        return None
    value = found[1]
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _set_cookies(reply: Reply) -> Iterator[tuple[str, str]]:
    for name, value in reply.raw_headers:
        if name.lower() != b"set-cookie":
            continue
        parsed: SimpleCookie = SimpleCookie()
        try:
            parsed.load(value.decode("latin-1"))
        except CookieError:
            continue
        for one in parsed.values():
            yield one.key, "" if one["max-age"] == "0" else one.coded_value


def _escaped(value: str) -> str:
    """Return a value as it stands inside the quotes of a JSON string."""
    return orjson.dumps(value).decode()[1:-1]


def make(settings: FlowSettings, shared: Context) -> FlowProbe:
    """Build the probe."""
    return FlowProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=FlowSettings,
    make=make,
    cost=lambda settings: Cost(requests=len(settings.steps)),
    instance=lambda settings: parse_url(settings.url).shown,
)
