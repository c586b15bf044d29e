"""What an HTTP answer must be, and what is said about one that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import orjson

from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import Certificates
from stewardmon.probes.condition import Condition, Expected, Pattern, search, shown
from stewardmon.probes.jsonpath import JsonPath, parse_path
from stewardmon.settings import (
    AfterValidator,
    BeforeValidator,
    Duration,
    Field,
    PlainValidator,
    Settings,
)

# The words by which health endpoints say "not well, but not dead" (PLATFORM.md section 1).
_DEGRADED: Final = frozenset({"degraded", "warning", "warn", "partial", "unknown"})
_CACHE_HEADERS: Final = ("x-vercel-cache", "cf-cache-status", "x-cache", "x-nextjs-cache")
_SERVED_FROM_CACHE: Final = re.compile(r"\b(?:HIT|STALE|REVALIDATED|UPDATING)\b", re.IGNORECASE)
_WORST_FIRST: Final = (State.DOWN, State.MISCONFIGURED, State.DEGRADED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that an answer did not meet."""

    state: State
    reason: Reason
    text: str


def _path(value: Any) -> JsonPath:
    if isinstance(value, JsonPath):
        return value
    if not isinstance(value, str):
        raise ValueError("a path is a string")  # noqa: TRY004 - pydantic's protocol
    return parse_path(value)


def _status(value: Any) -> str:
    text = str(value).lower()
    if not re.fullmatch(r"[1-5](?:\d\d|xx)", text):
        raise ValueError(f"{str(value)[:40]!r} is not a status: write 200 or a class such as 2xx")
    return text


def _many(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else (value,)


Path = Annotated[JsonPath, PlainValidator(_path)]
Status = Annotated[str, PlainValidator(_status)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_many)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_many)]


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a span longer than 0s")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh(Settings):
    """A timestamp in the body that may differ from now by `within` at most."""

    path: Path
    within: Annotated[Duration, AfterValidator(_positive)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyExpected(Settings):
    """Words and RE2 patterns that must stand, or must not stand, anywhere in the body."""

    contains: Texts = ()
    not_contains: Texts = ()
    matches: Patterns = ()
    not_matches: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsExpected(Settings):
    """`min_days`: a certificate of the chain that expires sooner degrades the target."""

    min_days: float = Field(default=0, ge=0)
    issuer: Pattern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect(Settings):
    """Everything that an answer must meet; by default any 2xx status."""

    status: Annotated[tuple[Status, ...], BeforeValidator(_many)] = ("2xx",)
    json_: Mapping[Path, Expected] = Field(default_factory=dict, alias="json")
    headers: Mapping[str, Expected] = Field(default_factory=dict)
    body: BodyExpected = BodyExpected()
    fresh: Fresh | None = None
    cached: bool = True
    max_age: Duration | None = None
    tls: TlsExpected | None = None

    def accepts(self, status: int) -> bool:
        """Say whether the status is one of those expected."""
        text = str(status)
        return text in self.status or f"{text[0]}xx" in self.status


def judge_status(expect: Expect, status: int, location: str) -> Complaint | None:
    """Return what a status says that is not expected.

    404 and refused keys are setup that is at fault, not a dead target; 429 is our own doing.
    """
    if expect.accepts(status):
        return None
    wanted = " or ".join(expect.status)
    said = f"answered {status}, expected {wanted}"
    if status in (401, 403):
        return Complaint(State.MISCONFIGURED, Reason.AUTH, f"{said}: the key or session is refused")
    if status == 404:
        return Complaint(State.MISCONFIGURED, Reason.NOT_FOUND, f"{said}: no such path there")
    if status in (400, 405, 415):
        return Complaint(State.MISCONFIGURED, Reason.REQUEST, f"{said}: the request does not suit")
    if status == 429:
        return Complaint(State.DEGRADED, Reason.RATE_LIMIT, f"{said}: too many requests from here")
    if 300 <= status < 400:
        where = f" to {excerpt(location.partition('?')[0])}" if location else ""
        return Complaint(State.DOWN, Reason.REDIRECT, f"{said}: it redirects{where}")
    return Complaint(State.DOWN, Reason.STATUS, said)


def judge_json(expect: Expect, body: bytes, *, now: datetime) -> Iterator[Complaint]:
    """Yield what the body, read as JSON, does not meet; nothing where nothing is expected of it."""
    if not expect.json_ and expect.fresh is None:
        return
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        yield Complaint(State.DOWN, Reason.BODY, _not_json(body))
        return
    for path, condition in expect.json_.items():
        yield from _values(path, condition, document)
    if expect.fresh is not None:
        yield from _freshness(expect.fresh, document, now=now)


def judge_failing(expect: Expect, body: bytes, status: Complaint) -> list[Complaint]:
    """Return what a failing answer's body says of those things that are expected of it.

    A 503 whose body says `degraded` is degraded: the body knows more than its status.
    """
    if status.reason is not Reason.STATUS or not expect.json_:
        return []
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    told = [
        complaint
        for path, condition in expect.json_.items()
        for place, value in path.find(document)
        for complaint in _value(condition, place, value)
    ]
    return [replace(one, text=f"{one.text} ({status.text})") for one in told]


def judge_headers(expect: Expect, headers: Mapping[str, str]) -> Iterator[Complaint]:
    """Yield what the headers do not meet, signs of a cached answer included."""
    for name, condition in expect.headers.items():
        value = headers.get(name.lower())
        if value is not None:
            for text in condition.complaints(f"header {name}", value):
                yield Complaint(State.DOWN, Reason.HEADER, text)
        elif condition.exists:
            yield Complaint(State.DOWN, Reason.HEADER, f"header {name} is missing")
    age = headers.get("age", "0")
    seconds = int(age) if age.isascii() and age.isdigit() and len(age) < 12 else 0
    limit = expect.max_age if expect.cached else timedelta(0)
    if limit is not None and seconds > limit.total_seconds():
        said = f"the answer comes from a cache and is {seconds} s old"
        yield Complaint(State.DEGRADED, Reason.CACHED, said)
    elif not expect.cached:
        hit = next((h for h in _CACHE_HEADERS if _SERVED_FROM_CACHE.search(headers.get(h, ""))), "")
        if hit:
            said = f"the answer comes from a cache ({hit}: {excerpt(headers[hit], 40)})"
            yield Complaint(State.DEGRADED, Reason.CACHED, said)


def judge_body(expect: BodyExpected, body: bytes) -> Iterator[Complaint]:
    """Yield what the body, read as text, does not meet."""
    if not (expect.contains or expect.not_contains or expect.matches or expect.not_matches):
        return  # as for most answers, which then need no decoding
    text = body.decode("utf-8", "replace")
    said = [
        *(f'the body lacks "{word}"' for word in expect.contains if word not in text),
        *(f'the body holds "{word}"' for word in expect.not_contains if word in text),
        *(f"the body does not match {p}" for p in expect.matches if not search(p, text)),
        *(f"the body matches {p}" for p in expect.not_matches if search(p, text)),
    ]
    for sentence in said:
        yield Complaint(State.DOWN, Reason.BODY, sentence)


def judge_tls(
    expect: TlsExpected, shown_: Certificates | None, *, now: datetime
) -> Iterator[Complaint]:
    """Yield what the certificates do not meet."""
    if shown_ is None:
        yield Complaint(State.DOWN, Reason.TLS, "the answer came without TLS")
        return
    days = (shown_.expires_at - now) / timedelta(days=1)
    if days < expect.min_days:
        said = f"a certificate expires in {days:.1f} days, expected at least {expect.min_days:g}"
        yield Complaint(State.DEGRADED, Reason.CERTIFICATE, said)
    if expect.issuer is not None and not search(expect.issuer, shown_.issuer):
        said = f'the issuer is "{excerpt(shown_.issuer)}", expected {expect.issuer}'
        yield Complaint(State.DEGRADED, Reason.CERTIFICATE, said)


def worst(complaints: list[Complaint]) -> Complaint:
    """Return the complaint that decides; the first of the worst."""
    return min(complaints, key=lambda one: _WORST_FIRST.index(one.state))


def _values(path: JsonPath, condition: Condition, document: Any) -> Iterator[Complaint]:
    nothing = True
    for place, value in path.find(document):
        nothing = False
        yield from _value(condition, place, value)
    if nothing and condition.exists:
        yield Complaint(State.DOWN, Reason.BODY, f"{path} is missing in the body")


def _value(condition: Condition, place: str, value: Any) -> Iterator[Complaint]:
    for text in condition.complaints(place, value):
        mild = isinstance(value, str) and value.strip().lower() in _DEGRADED
        state = State.DEGRADED if mild and condition.exists else State.DOWN
        yield Complaint(state, Reason.BODY, text)


def _freshness(fresh: Fresh, document: Any, *, now: datetime) -> Iterator[Complaint]:
    found = next(fresh.path.find(document), None)
    if found is None:
        yield Complaint(State.DOWN, Reason.BODY, f"{fresh.path} is missing in the body")
        return
    place, value = found
    at = moment(value)
    if at is None:
        yield Complaint(State.DOWN, Reason.BODY, f"{place} is {shown(value)}, expected a time")
        return
    gap = now - at
    if abs(gap) > fresh.within:
        side = "old" if gap > timedelta(0) else "ahead of our clock"
        within = format_duration(fresh.within)
        said = f"{place} is {_span(abs(gap))} {side}, expected within {within}"
        yield Complaint(State.DEGRADED, Reason.STALE, said)


def moment(value: Any) -> datetime | None:
    """Return the time that a JSON value names: ISO 8601, or seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            read = datetime.fromisoformat(value)
            return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            # Seconds reach this bound in the year 5138, milliseconds passed it in 1973.
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _span(gap: timedelta) -> str:
    return format_duration(timedelta(seconds=round(gap.total_seconds())))


def _not_json(body: bytes) -> str:
    start = excerpt(body[:512].decode("utf-8", "replace"), 60)
    return f'the body is not JSON: "{start}"' if start else "the body is empty, expected JSON"
