"""Questions over HTTP for probes that ask several: fetched whole, unpacked, read as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import Certificates, context
from stewardmon.network.endpoint import parse_url
from stewardmon.network.exchange import exchange, request
from stewardmon.network.failure import Failure, waits
from stewardmon.network.progress import Progress
from stewardmon.probes.http import decoded

LIMIT: Final = 2 * 1024 * 1024  # bytes of a body that a probe of several questions reads

_SECONDS: Final = re.compile(r"\d{1,7}")
_CLASSES: Final[Mapping[int, tuple[State, Reason, str]]] = {
    401: (State.MISCONFIGURED, Reason.AUTH, "the key is refused"),
    403: (State.MISCONFIGURED, Reason.PERMISSION, "the key may not ask this"),
    404: (State.MISCONFIGURED, Reason.NOT_FOUND, "there is no such path"),
    429: (State.DEGRADED, Reason.RATE_LIMIT, "the rate limit is reached"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: headers by lower-case name, the body without its content coding."""

    where: str
    status: int
    headers: Mapping[str, str]
    raw_headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    too_large: bool = False
    certificates: Certificates | None = None

    @property
    def text(self) -> str:
        """Return the body as text, whatever bytes it holds."""
        return self.body.decode("utf-8", "replace")

    def expect_ok(self) -> None:
        """Raise Failure unless the status is a 2xx, and all of the body was read."""
        if 200 <= self.status < 300:
            if self.too_large:
                raise Failure(Reason.TOO_LARGE, f"{self.where} sent more than {LIMIT >> 20} MiB")
            return
        state, reason, meaning = _CLASSES.get(
            self.status, (State.DOWN, Reason.STATUS, "that is no success")
        )
        if 300 <= self.status < 400:
            state, reason, meaning = State.MISCONFIGURED, Reason.REDIRECT, "it redirects"
        detail = f"{self.where} answered {self.status}: {meaning}"
        retry = self.headers.get("retry-after", "")
        if reason is Reason.RATE_LIMIT and retry:
            detail += f"; retry after {excerpt(retry, 20)} s"
        asked = float(retry) if reason is Reason.RATE_LIMIT and _SECONDS.fullmatch(retry) else None
        raise Failure(reason, detail, state=state, retry_after=asked)

    def document(self) -> Any:
        """Return the body as JSON; raises Failure where the status or the body is not right."""
        self.expect_ok()
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Failure(Reason.BODY, f"{self.where} did not answer with JSON") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the questions of one probe share."""

    user_agent: str = "stewardmon"
    verify: bool | Path = True
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = LIMIT

    async def ask(
        self,
        url: str,
        progress: Progress,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request on a fresh connection, following nothing; raises Failure."""
        endpoint = parse_url(url)
        asked = request(
            endpoint,
            method=method,
            headers={**self.headers, **(headers or {})},
            body=body,
            tls=context(self.verify) if endpoint.secure else None,
            user_agent=self.user_agent,
        )
        reply = await exchange(asked, progress, limit=self.limit)
        return Answer(
            where=endpoint.shown,
            status=reply.status,
            headers=reply.headers,
            raw_headers=reply.raw_headers,
            body=reply.body if reply.too_large else decoded(reply, limit=self.limit),
            too_large=reply.too_large,
            certificates=reply.certificates,
        )


def failed(
    failure: Failure,
    progress: Progress,
    measurements: tuple[Measurement, ...] = (),
    *,
    findings: tuple[str, ...] = (),
) -> Outcome:
    """Return the outcome of a probe whose question came to nothing."""
    return Outcome(
        state=failure.state,
        reason=failure.reason,
        detail=failure.detail,
        phases=progress.cut(),
        measurements=(*progress.measurements(), *measurements, *waits(failure)),
        findings=findings,
    )


def summed(lines: tuple[str, ...]) -> str:
    """Return the first line, and how many more there are."""
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return lines[0] + more if lines else ""
