"""What every probe of an OpenAI-compatible API shares: address and key, errors, headroom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlsplit, urlunsplit

import orjson

from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import context
from stewardmon.network.endpoint import Endpoint, parse_url
from stewardmon.network.exchange import Request, request
from stewardmon.network.failure import Failure, waits
from stewardmon.network.progress import Progress
from stewardmon.settings import AfterValidator, FilePath, Secret, Settings

BODY_LIMIT: Final = 4 * 1024 * 1024  # some compatible servers list hundreds of models at length

Class = tuple[State, Reason, str]

_QUOTA: Final[Class] = (State.DOWN, Reason.QUOTA, "the account's quota or budget is used up")
_RATE: Final[Class] = (State.DEGRADED, Reason.RATE_LIMIT, "the rate limit is reached")
_KEY: Final[Class] = (State.DOWN, Reason.AUTH, "the key is refused")
_MODEL: Final[Class] = (State.MISCONFIGURED, Reason.MODEL, "no such model for this key")
_PATH: Final[Class] = (
    State.MISCONFIGURED,
    Reason.NOT_FOUND,
    "no such path: is the base URL right?",
)
_REQUEST: Final[Class] = (State.MISCONFIGURED, Reason.REQUEST, "the request does not suit this API")
_PROVIDER: Final[Class] = (State.DOWN, Reason.PROVIDER, "the provider has trouble")

# error.code or error.type (platform.openai.com/docs/guides/error-codes, and PLATFORM.md section 3).
_QUOTA_WORDS: Final = re.compile(
    r"insufficient_quota|credit_balance_exhausted|\w*_(?:spend|usage)_limit_exceeded"
    r"|billing_hard_limit_reached|billing_not_active"
)
_BY_WORD: Final[Mapping[str, Class]] = {
    "invalid_api_key": _KEY,
    "invalid_organization": _KEY,
    "account_deactivated": _KEY,
    "missing_scope": _KEY,
    "rate_limit_exceeded": _RATE,
    "slow_down": _RATE,
    "model_not_found": _MODEL,
    "model_not_available": _MODEL,
}
_BY_STATUS: Final[Mapping[int, Class]] = {
    401: _KEY,
    403: _KEY,
    429: _RATE,
    404: _PATH,
    **dict.fromkeys((400, 405, 413, 415, 422), _REQUEST),
}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_KINDS: Final = ("requests", "tokens")


def _base(value: str) -> str:
    parse_url(value)
    parts = urlsplit(value)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the base URL ends with its path, such as https://api.openai.com/v1")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _plain_key(value: Secret) -> Secret:
    text = value.get_secret_value()
    if not text or re.search(r"[^\x21-\x7e]", text):
        raise ValueError("a key is one word of printable characters")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiApi(Settings):
    """An OpenAI-compatible API: its base URL, which ends in /v1 as a rule, and our own key."""

    url: Annotated[str, AfterValidator(_base)] = "https://api.openai.com/v1"
    key: Annotated[Secret, AfterValidator(_plain_key)]
    organization: str | None = None
    project: str | None = None
    verify: bool | FilePath = True

    def endpoint(self, path: str = "") -> Endpoint:
        """Return where one of the API's paths is asked."""
        return parse_url(self.url + path)

    def request(self, path: str, *, user_agent: str, body: Any = None) -> Request:
        """Return a request ready to send: POST where there is a body."""
        endpoint = self.endpoint(path)
        headers = {"Authorization": f"Bearer {self.key.get_secret_value()}"}
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        if body is not None:
            headers["Content-Type"] = "application/json"
        return request(
            endpoint,
            method="GET" if body is None else "POST",
            headers=headers,
            body=b"" if body is None else orjson.dumps(body),
            tls=context(self.verify) if endpoint.secure else None,
            user_agent=user_agent,
        )


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """Return the class of a failed answer: by `error.code` first, by status after it."""
    error = _error(body)
    state, reason, meaning = _class(status, str(error.get("code") or ""), str(error.get("type")))
    parts = [meaning, f"status {status}" if status else ""]
    if reason is Reason.RATE_LIMIT and headers.get("retry-after"):
        parts.append(f"retry after {excerpt(headers['retry-after'], 20)} s")
    parts += [excerpt(str(error.get("message") or "")), traced(headers)]
    wait = headers.get("retry-after", "") if reason is Reason.RATE_LIMIT else ""
    asked = float(wait) if re.fullmatch(r"\d{1,7}(?:\.\d{1,3})?", wait) else None
    told = "; ".join(part for part in parts if part)
    return Failure(reason, told, state=state, retry_after=asked)


def traced(headers: Mapping[str, str]) -> str:
    """Return the vendor's name for the request, which its support asks for."""
    ident = headers.get("x-request-id", "")
    return f"request {excerpt(ident, 60)}" if ident else ""


def headroom(headers: Mapping[str, str]) -> Iterator[Measurement]:
    """Yield what is left of the rate limits; nothing where a header is absent or below zero."""
    for kind in _KINDS:
        limit = _count(headers.get(f"x-ratelimit-limit-{kind}"))
        left = _count(headers.get(f"x-ratelimit-remaining-{kind}"))
        label = {"kind": kind}
        if limit and left is not None:
            ratio = min(1.0, left / limit)
            yield Measurement("stewardmon_openai_rate_limit_remaining_ratio", ratio, label)
        reset = span(headers.get(f"x-ratelimit-reset-{kind}", ""))
        if reset is not None:
            yield Measurement("stewardmon_openai_rate_limit_reset_seconds", reset, label)
    processing = _count(headers.get("openai-processing-ms"))
    if processing is not None:
        yield Measurement("stewardmon_openai_processing_seconds", processing / 1000)


def span(text: str) -> float | None:
    """Return the seconds of a duration such as 1s, 6m0s or 12ms; None where it is none."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def failed(
    failure: Failure, progress: Progress, measurements: tuple[Measurement, ...] = ()
) -> Outcome:
    """Return the outcome of an ask that the API did not answer as it should.

    `measurements` are what it learned beyond the phases.
    """
    return Outcome(
        state=failure.state,
        reason=failure.reason,
        detail=failure.detail,
        phases=progress.cut(),
        measurements=(*progress.measurements(), *measurements, *waits(failure)),
    )


def operation(name: str, model: str = "") -> dict[str, str]:
    """Return OpenTelemetry's GenAI labels of one operation, in Prometheus' spelling."""
    labels = {"gen_ai_operation_name": name}
    return {**labels, "gen_ai_request_model": model} if model else labels


def _class(status: int, code: str, kind: str) -> Class:
    by_word = _by_word(code) or _by_word(kind)
    if by_word is not None:
        return by_word
    if 300 <= status < 400:
        return State.MISCONFIGURED, Reason.REDIRECT, "redirects: write the address it leads to"
    return _BY_STATUS.get(status, _PROVIDER)


def _by_word(word: str) -> Class | None:
    if _QUOTA_WORDS.fullmatch(word):
        return _QUOTA
    return _BY_WORD.get(word)


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else {}


def _count(text: str | None) -> int | None:
    """Return a count of a header; None where it is absent, odd, or -1, which means unknown."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text)
