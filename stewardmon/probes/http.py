"""The http probe: one request on a fresh connection, every phase measured, the answer judged."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

from stewardmon.domain import ratelimit
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State, usual
from stewardmon.network.certificates import context
from stewardmon.network.endpoint import Endpoint, parse_url
from stewardmon.network.exchange import Reply, Request, exchange, request
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.network.wire import BODY_LIMIT
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes import expect as judging
from stewardmon.probes.expect import Complaint, Expect
from stewardmon.settings import AfterValidator, ByteSize, Field, FilePath, Secret, Settings

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_NO_STATUS: Final = Measurement("probe_http_status_code", 0.0)  # where no answer came
_ANYTHING: Final = Expect()
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def _url(value: Secret) -> Secret:
    parse_url(value.get_secret_value())
    return value


def _header(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in ("host", "content-length", "connection"):
        raise ValueError(f"{name[:40]!r} cannot be set as a header")
    return name


def _value(value: Secret) -> Secret:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value.get_secret_value()):
        raise ValueError("a header's value holds no control characters")
    return value


Url = Annotated[Secret, AfterValidator(_url)]
Header = Annotated[str, AfterValidator(_header)]
HeaderValue = Annotated[Secret, AfterValidator(_value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(Settings):
    """What to ask, and what the answer must be.

    `verify` is true, false, or a file of trusted roots. `allow_private` true or false settles
    whether private addresses may be asked; unset, they may be asked directly and never by a
    redirect from a public one.
    """

    url: Url
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: Mapping[Header, HeaderValue] = Field(default_factory=dict)
    body: Secret | None = None
    expect: Expect = Field(default_factory=lambda: _ANYTHING)  # not a copy for every probe
    follow_redirects: bool = True
    max_redirects: int = Field(default=5, ge=1, le=20)
    body_limit: ByteSize = Field(default=BODY_LIMIT, gt=0, le=64 * 1024 * 1024)
    verify: bool | FilePath = True
    allow_private: bool | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Return the URL taken apart."""
        return parse_url(self.url.get_secret_value())


class Judge(Protocol):
    """What an answer is measured by: the body, and all that is not as it should be."""

    def __call__(
        self, settings: HttpSettings, reply: Reply, *, now: datetime
    ) -> tuple[bytes, list[Complaint]]:
        """Judge one answer at a time."""


class HttpProbe:
    """Asks one URL; `judge` is for kinds whose answers mean more than `expect` can say."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        clock: Clock,
        user_agent: str,
        judge: Judge | None = None,
    ) -> None:
        self.settings = settings
        self._judge = judge or judge_expected
        self.progress = Progress(_NO_STATUS)
        self._clock = clock
        self._request = _prepare(settings, user_agent)
        self._guard = settings.allow_private is False

    async def ask(self) -> Outcome:
        """Ask once; a target that fails is an outcome."""
        progress = self.progress = Progress(_NO_STATUS)
        try:
            reply, redirects = await self._fetch(progress)
        except Failure as failure:
            return failed(failure, progress)
        now = self._clock.now()
        body, complaints = self._judge(self.settings, reply, now=now)
        if any(one.reason is Reason.STALE for one in complaints):
            # Somebody has set a clock: ours goes on, and the platform's may show the new time.
            later = now + self._clock.offset()
            body, complaints = self._judge(self.settings, reply, now=later)
        measured = (
            *measure(reply, progress, redirects=redirects, uncompressed=len(body)),
            *_asked_to_wait(reply, now=now),
        )
        regex = any(one.reason is Reason.BODY for one in complaints)
        measurements = (*measured, usual("probe_failed_due_to_regex", float(regex)))
        if complaints:
            return _complained(complaints, progress, measurements)
        return Outcome(
            state=State.UP,
            detail=f"answered {reply.status}",
            phases=progress.phases,
            measurements=measurements,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _fetch(self, progress: Progress) -> tuple[Reply, int]:
        settings = self.settings
        limit = int(settings.body_limit)
        reply = await exchange(self._request, progress, limit=limit, guard=self._guard)
        if not settings.follow_redirects or reply.status not in _REDIRECTS:
            return reply, 0
        if settings.expect.accepts(reply.status) or "location" not in reply.headers:
            return reply, 0
        # httpx knows what a redirect changes; importing it takes 100 ms that few probes need.
        from stewardmon.probes.transport import follow  # noqa: PLC0415

        return await follow(
            self._request,
            reply,
            progress,
            limit=limit,
            most=settings.max_redirects,
            verify=settings.verify,
            allow_private=settings.allow_private,
        )


def judge_expected(
    settings: HttpSettings, reply: Reply, *, now: datetime
) -> tuple[bytes, list[Complaint]]:
    """Return the body with its content coding undone, and everything that is not as expected.

    What a health endpoint's body says goes before its status (PLATFORM.md section 1).
    """
    expect = settings.expect
    try:
        body = decoded(reply, limit=int(settings.body_limit))
    except Failure as failure:
        return b"", [Complaint(failure.state, failure.reason, failure.detail)]
    status = judging.judge_status(expect, reply.status, reply.headers.get("location", ""))
    if status is not None:
        return body, judging.judge_failing(expect, body, status) or [status]
    if reply.too_large:
        return body, [Complaint(State.DOWN, Reason.TOO_LARGE, _too_large(settings.body_limit))]
    complaints = [
        *judging.judge_headers(expect, reply.headers),
        *judging.judge_json(expect, body, now=now),
        *judging.judge_body(expect.body, body),
    ]
    if expect.tls is not None:
        complaints.extend(judging.judge_tls(expect.tls, reply.certificates, now=now))
    return body, complaints


def decoded(reply: Reply, *, limit: int) -> bytes:
    """Return the body without gzip or deflate, at most `limit` bytes; raises Failure."""
    coding = reply.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("identity", "") or not reply.body:
        return reply.body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Failure(Reason.PROTOCOL, f"the body came as {coding[:20]!r}, which nobody asked for")
    # Some servers send deflate without its zlib frame (RFC 9110, 8.4.1.2).
    bare = coding == "deflate" and reply.body[:1] != b"\x78"
    bits = -zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32
    unpacker = zlib.decompressobj(bits)
    try:
        body = unpacker.decompress(reply.body, limit)
    except zlib.error:
        raise Failure(Reason.PROTOCOL, f"the body is not the {coding} that it claims") from None
    if unpacker.unconsumed_tail:
        raise Failure(Reason.TOO_LARGE, _too_large(limit))
    return body


def measure(
    reply: Reply, progress: Progress, *, redirects: int, uncompressed: int
) -> tuple[Measurement, ...]:
    """Return what blackbox_exporter shows of an HTTP probe, under its names."""
    length = reply.headers.get("content-length", "")
    return (
        usual("probe_http_status_code", float(reply.status)),
        usual("probe_http_version", float(reply.version or 0)),
        usual("probe_http_content_length", float(length) if length.isdecimal() else -1.0),
        usual("probe_http_uncompressed_body_length", float(uncompressed)),
        usual("probe_http_redirects", float(redirects)),
        usual("probe_http_ssl", float(reply.certificates is not None)),
        usual("probe_ip_protocol", 6.0 if ":" in reply.address else 4.0),
        Measurement("probe_dns_lookup_time_seconds", progress.phases["resolve"]),
        *progress.timed(),
        *_certified(reply),
    )


def _asked_to_wait(reply: Reply, *, now: datetime) -> tuple[Measurement, ...]:
    """Return for how long the target wants no more of us: it has refused, or nothing remains."""
    headers = reply.headers
    wait = ratelimit.retry_after(headers, now=now) if reply.status == 429 else None
    if wait is None and any("ratelimit" in name for name in headers):
        used_up = [one for one in ratelimit.allowances(headers, now=now) if one.remaining == 0]
        wait = max((one.reset for one in used_up if one.reset is not None), default=None)
    return () if wait is None else (Measurement("stewardmon_retry_after_seconds", float(wait)),)


def _certified(reply: Reply) -> tuple[Measurement, ...]:
    shown = reply.certificates
    if shown is None:
        return ()
    return (
        Measurement("probe_ssl_earliest_cert_expiry", shown.earliest_expiry),
        Measurement("probe_ssl_last_chain_expiry_timestamp_seconds", shown.expiry),
        Measurement("probe_tls_version_info", 1.0, {"version": shown.version.replace("v", " ")}),
    )


def failed(failure: Failure, progress: Progress) -> Outcome:
    """Return the outcome of an ask that got no whole answer."""
    return Outcome(
        state=failure.state,
        reason=failure.reason,
        detail=failure.detail,
        phases=progress.cut(),
        measurements=progress.measurements(),
    )


def _complained(
    complaints: list[Complaint], progress: Progress, measurements: tuple[Measurement, ...]
) -> Outcome:
    first = judging.worst(complaints)
    more = f", and {len(complaints) - 1} more" if len(complaints) > 1 else ""
    return Outcome(
        state=first.state,
        reason=first.reason,
        detail=first.text + more,
        phases=progress.phases,
        measurements=measurements,
        findings=tuple(one.text for one in complaints),
    )


def _too_large(limit: int) -> str:
    return f"the body is longer than the limit of {limit:,} bytes"


def _prepare(settings: HttpSettings, user_agent: str) -> Request:
    endpoint = settings.endpoint
    body = settings.body.get_secret_value() if settings.body is not None else ""
    return request(
        endpoint,
        method=settings.method,
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        body=body.encode(),
        tls=context(settings.verify) if endpoint.secure else None,
        user_agent=user_agent,
    )


def make(settings: HttpSettings, shared: Context) -> HttpProbe:
    """Build the probe."""
    return HttpProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=HttpSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=lambda settings: settings.endpoint.shown,
)
