"""Sending over HTTP for every channel that does: one status table, no leaked secret."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from stewardmon.channels.settings import HttpSettings
from stewardmon.channels.status import delivered, refused
from stewardmon.channels.text import line
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver answered: at most 64 KiB of body; `complete` unless it was cut off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool

    def json(self) -> Mapping[str, Any]:
        """Return the body's JSON object, empty where the body is anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `url` may hold secrets; either `content` is sent, or `form` as a form."""

    url: str
    content: bytes = b""
    headers: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    user: tuple[str, str] | None = None


class HttpSender:
    """POSTs for one channel.

    Whatever keeps a message from its receiver becomes a DeliveryError whose text names the host
    and nothing else of the URL; `secrets` are struck from what receivers say, for they like to
    repeat what they were sent.
    """

    def __init__(
        self, settings: HttpSettings, context: Context, *, secrets: Iterable[str] = ()
    ) -> None:
        # The client is only imported where a channel is made: `check` reads settings alone.
        from stewardmon.channels.http_wire import Wire  # noqa: PLC0415

        self._clock = context.clock
        self._secrets = tuple(secrets)
        self._wire = Wire(
            timeout=settings.timeout.total_seconds(),
            user_agent=context.user_agent,
            public_only=settings.public_only,
            ca_file=str(settings.ca_file or ""),
        )

    async def post(
        self,
        request: Request,
        *,
        words: Callable[[Answer], str] = lambda _: "",
        wish: Callable[[Answer], str | None] = lambda _: None,
    ) -> Answer:
        """Return the answer when it is 2xx; raises DeliveryError for everything else.

        `words` finds the receiver's explanation in a refusal, `wish` a wait in seconds that
        stands elsewhere than in Retry-After.
        """
        host = urlsplit(request.url).hostname or "the receiver"
        answer = await self._wire.post(request, host=host)
        if delivered(answer.status):
            return answer
        raise refused(
            answer.status,
            host=host,
            retry_after=answer.headers.get("retry-after") or wish(answer),
            words=self.safe(words(answer), request.url, request.user),
            now=self._clock.now(),
        )

    def safe(self, words: str, url: str = "", user: tuple[str, str] | None = None) -> str:
        """Return a receiver's words on one short line, without any secret of ours."""
        secrets = (*self._secrets, *url_secrets(url), *basic(user))
        return line(redact(words[:4000], secrets), 200)

    def fail(self, words: str, *, temporary: bool, url: str = "") -> DeliveryError:
        """Return the error for a refusal inside a 2xx answer."""
        host = urlsplit(url).hostname or "the receiver"
        return DeliveryError(f"{host} refused: {self.safe(words, url)}", temporary=temporary)


def dump(value: object) -> bytes:
    """Return the value as JSON that every parser takes: ASCII, lone surrogates replaced."""
    return json.dumps(_encodable(value), separators=(",", ":")).encode()


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the parts of a URL that must not be repeated: user, password, path, query."""
    parts = urlsplit(url)
    login = (unquote(parts.username or ""), unquote(parts.password or ""))
    found = [parts.username, parts.password, parts.query, parts.path.strip("/")]
    found += [*parts.path.split("/"), *(basic(login) if any(login) else ())]
    # Short path segments ("api", "v2") are words of their own, not secrets.
    return tuple(one for one in found if one and len(one) >= 6)


def basic(user: tuple[str, str] | None) -> tuple[str, ...]:
    """Return what a Basic Authorization header would show of a user and a password."""
    return () if user is None else (b64encode(":".join(user).encode()).decode(),)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret, however it is quoted, replaced by an ellipsis."""
    spellings = {
        form for one in secrets for form in (one, quote(one, safe=""), quote(one), unquote(one))
    }
    for form in sorted(filter(None, spellings), key=len, reverse=True):
        text = text.replace(form, "…")
    return text


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_encodable(key)): _encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    return value
