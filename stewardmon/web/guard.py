"""Who may look and who may change things; what a request may carry; headers of every answer."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from stewardmon.errors import StewardmonError
from stewardmon.settings import Secret

BODY_LIMIT: Final = 1 << 20  # bytes
FORM_LIMIT: Final = 64 << 10  # bytes
COOKIE: Final = "stewardmon_session"
SIGNED_IN_FOR: Final = 30 * 24 * 3600  # seconds: nobody should have to look for a token at 3 a.m.
NAME_LIMIT: Final = 100  # characters of a person's name
LOOPBACK: Final = ("127.0.0.1", "::1")


class RequestError(StewardmonError):
    """A request that is refused, with the status to answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Role(StrEnum):
    """What somebody may do: nothing, look, or look and act."""

    NOBODY = "nobody"
    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is let in: the operator's token, a viewer's token, a proxy that signs people in.

    Without `viewer_token` everybody who reaches the port may look. `proxy_header` names the header
    in which a proxy says who is signed in; it counts only from the addresses in `proxy_from`.
    `public_status` turns on `/status` and the badges, for everybody.
    """

    token: Secret | None = None
    viewer_token: Secret | None = None
    proxy_header: str = ""
    proxy_from: tuple[str, ...] = LOOPBACK
    public_status: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a name for the timeline, a role, and what their forms' tokens are bound to."""

    name: str = ""
    role: Role = Role.NOBODY
    session: str = ""

    @property
    def may_look(self) -> bool:
        """Say whether pages and figures may be shown."""
        return self.role is not Role.NOBODY

    @property
    def may_act(self) -> bool:
        """Say whether things may be changed."""
        return self.role is Role.OPERATOR


class Guard:
    """Knows callers by token, session cookie or proxy, and tells forms of ours from others'.

    Only hashes of the tokens are kept. `secret` signs sessions together with those hashes, so that
    a changed token ends every session that was opened with the old one.
    """

    def __init__(
        self, access: Access, *, secret: str = "", secure: bool = False, public_url: str = ""
    ) -> None:
        self._operator = _hashed(access.token)
        self._viewer = _hashed(access.viewer_token)
        self._access = access
        self._secure = secure
        self._public_host = urlsplit(public_url).netloc
        keys = (secret or token_urlsafe(32)).encode() + (self._operator or b"")
        self._key = sha256(keys + (self._viewer or b"")).digest()
        self._sessions = URLSafeTimedSerializer(self._key, salt="stewardmon.session")

    @property
    def changeable(self) -> bool:
        """Say whether anybody can sign in to change things."""
        return self._operator is not None or bool(self._access.proxy_header)

    @property
    def open_to_look(self) -> bool:
        """Say whether looking needs no sign-in."""
        return self._viewer is None

    def caller(self, request: HTTPConnection) -> Caller:
        """Return who asks, by the first of: Authorization, proxy, session, nobody."""
        bearer = _bearer(request)
        if bearer is not None:
            role = self.role_of(bearer)
            return Caller(role=role if role is not Role.NOBODY else self._anybody())
        if self.role_of(_password(request)) is not Role.NOBODY:
            return Caller(role=Role.VIEWER)  # browsers send it unasked: good for looking only
        proxied = self._proxied(request)
        if proxied:
            return Caller(name=proxied, role=Role.OPERATOR, session=f"proxy {proxied}")
        return self._remembered(request) or Caller(role=self._anybody())

    def role_of(self, token: str) -> Role:
        """Return what a token allows."""
        if not token:
            return Role.NOBODY
        given = _hash(token)
        if self._operator is not None and hmac.compare_digest(given, self._operator):
            return Role.OPERATOR
        if self._viewer is not None and hmac.compare_digest(given, self._viewer):
            return Role.VIEWER
        return Role.NOBODY

    def check(self, request: Request) -> None:
        """Raise RequestError unless the request bears the operator's token."""
        if self._operator is None:
            raise RequestError(
                "changes are off: start stewardmon with STEWARDMON_TOKEN to allow them", 403
            )
        if self.role_of(_bearer(request) or "") is not Role.OPERATOR:
            raise RequestError("this needs the header Authorization: Bearer STEWARDMON_TOKEN", 401)

    def check_form(self, request: Request, fields: dict[str, str]) -> Caller:
        """Return who sent a form of ours; raise RequestError for others' and for viewers."""
        caller = self.caller(request)
        if not caller.may_act:
            raise RequestError("sign in as an operator to do this", 403)
        if not self.same_origin(request):
            raise RequestError("this form was sent from another site", 403)
        if not hmac.compare_digest(
            self.form_token(caller).encode(), fields.get("csrf", "").encode()
        ):
            raise RequestError("this form is out of date: go back, load the page anew", 403)
        return caller

    def form_token(self, caller: Caller) -> str:
        """Return what proves that a form was made for this caller's session."""
        if not caller.session:
            return ""
        return hmac.new(self._key, b"form " + caller.session.encode(), sha256).hexdigest()

    def same_origin(self, request: Request) -> bool:
        """Say whether a browser sent this from a page of ours; other programs pass."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = request.headers.get("origin")
        if origin is None:
            return True
        return urlsplit(origin).netloc in {request.headers.get("host", ""), self._public_host}

    def remember(self, answer: Response, *, name: str, role: Role, path: str) -> None:
        """Let the answer open a session."""
        value = self._sessions.dumps([name, role.value, token_urlsafe(12)])
        answer.set_cookie(
            COOKIE,
            str(value),
            max_age=SIGNED_IN_FOR,
            path=path or "/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def forget(self, answer: Response, *, path: str) -> None:
        """Let the answer end the session."""
        answer.delete_cookie(
            COOKIE, path=path or "/", secure=self._secure, httponly=True, samesite="strict"
        )

    def _anybody(self) -> Role:
        return Role.VIEWER if self._viewer is None else Role.NOBODY

    def _proxied(self, request: HTTPConnection) -> str:
        header = self._access.proxy_header
        if not header or request.client is None:
            return ""
        if request.client.host not in self._access.proxy_from:
            return ""
        return " ".join(request.headers.get(header, "").split())[:NAME_LIMIT]

    def _remembered(self, request: HTTPConnection) -> Caller | None:
        cookie = request.cookies.get(COOKIE)
        if cookie is None:
            return None
        try:
            name, role, ident = self._sessions.loads(cookie, max_age=SIGNED_IN_FOR)
            return Caller(name=str(name), role=Role(role), session=str(ident))
        except (BadData, ValueError, TypeError):
            return None


async def json_body(request: Request, *, known: frozenset[str] | None = None) -> dict[str, Any]:
    """Return the request's JSON object; an empty body is an empty object.

    Raises RequestError for anything else, for more than BODY_LIMIT bytes, and for a field that is
    not `known`: a misspelt one would be passed over in silence.
    """
    body = await read_body(request, limit=BODY_LIMIT)
    if not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    odd = sorted(set(value) - known) if known is not None else []
    if known is not None and odd:
        raise RequestError(f"unknown field {odd[0][:40]!r}; known are {', '.join(sorted(known))}")
    return value


async def form_body(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that comes twice the last. Raises RequestError."""
    body = await read_body(request, limit=FORM_LIMIT)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise RequestError("the form cannot be read") from None
    return {name: value.strip() for name, value in pairs}


async def read_body(request: Request, *, limit: int) -> bytes:
    """Return the body. Raises RequestError (413) for more than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestError(f"the body is larger than {limit} bytes", 413)
    return bytes(body)


def text_field(body: dict[str, Any], name: str, *, default: str = "", limit: int = 1000) -> str:
    """Return a text of the body. Raises RequestError when it is no text or too long."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise RequestError(f"{name} must be a text")
    if len(value) > limit:
        raise RequestError(f"{name} is longer than {limit} characters")
    return _storable(value).strip()


def _storable(text: str) -> str:
    """Return text that every store and encoding takes: no zero byte, no lone surrogate."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def given_token(request: HTTPConnection) -> str:
    """Return the token that a request brings, as Bearer or as Basic's password; else empty."""
    return _bearer(request) or _password(request)


def _bearer(request: HTTPConnection) -> str | None:
    """Return the token of `Authorization: Bearer …`, None where there is no such header."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def _password(request: HTTPConnection) -> str:
    """Return the password of `Authorization: Basic …`: how Prometheus and amtool may bring it."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _hashed(token: Secret | None) -> bytes | None:
    return None if token is None else _hash(token.get_secret_value())


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
