"""The app's synthetic user: signed in at Supabase, remembered, shown to the app as its cookies.

PLATFORM.md section 1: the app takes cookie sessions only, `sb-<ref>-auth-token` with `base64-` and
the base64url of the session's JSON, split into `.0`, `.1`, … past 3180 characters, as Supabase's
own clients (@supabase/ssr) store it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import orjson

from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock
from stewardmon.probes.http import HeaderValue
from stewardmon.probes.rest import Answer, Client
from stewardmon.settings import AfterValidator, FilePath, Secret, Settings

CHUNK: Final = 3180  # characters of a cookie's value; @supabase/ssr splits what is longer
_EARLY: Final = timedelta(minutes=2)  # before its end a session is renewed
_SHORTEST: Final = timedelta(minutes=5)  # how long a session without `expires_in` is believed
_LONGEST: Final = timedelta(hours=1)
HOW: Final = "write email and password of a user made for this (SYNTHETIC_EMAIL and _PASSWORD)"


def base_url(value: str) -> str:
    """Return an address without the slash at its end, ready for a path; raises ValueError."""
    parse_url(value)
    return value.rstrip("/")


def _base_or_none(value: str | None) -> str | None:
    return base_url(value) if value else None


Base = Annotated[str, AfterValidator(base_url)]
BaseOrNone = Annotated[str | None, AfterValidator(_base_or_none)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Settings):
    """A user of the app who exists for probes only."""

    email: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StewardApp(Settings):
    """The app, and the synthetic user who signs in to it at Supabase.

    `cookie` is the session cookie's name, where it is not the one of Supabase's clients. Without
    `email` and `password` what needs a session is unknown.
    """

    url: Base
    supabase_url: BaseOrNone = None
    anon_key: HeaderValue | None = None
    email: str | None = None
    password: Secret | None = None
    cookie: str | None = None
    verify: bool | FilePath = True

    @property
    def account(self) -> Account | None:
        """Return the synthetic user, None where none is written."""
        if not self.email or self.password is None or not self.password.get_secret_value():
            return None
        return Account(email=self.email, password=self.password)

    def client(self, user_agent: str) -> Client:
        """Return a client of the app, and of Supabase."""
        return Client(user_agent=user_agent, verify=self.verify)


class Unknown(Failure):
    """What was to be asked cannot be: something is not configured; says how to give it."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.SETUP, detail, state=State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in: the Cookie header is a secret, the user's id is none."""

    user: str
    header: str

    def __repr__(self) -> str:
        return f"Session(user={self.user!r})"


class SignIn:
    """One user's session: signed in when it is first needed, and again before it runs out."""

    def __init__(
        self, app: StewardApp, account: Account | None, *, clock: Clock, client: Client
    ) -> None:
        self._app = app
        self._account = account
        self._clock = clock
        self._client = client
        self._session: Session | None = None
        self._ends = 0.0

    async def session(self, progress: Progress) -> Session:
        """Return the session, after at most one sign-in; raises Failure."""
        if self._session is None or self._clock.monotonic() >= self._ends:
            self._session = await self._sign_in(progress)
        return self._session

    def forget(self) -> None:
        """Sign in anew next time: the app no longer takes this session."""
        self._session = None

    async def _sign_in(self, progress: Progress) -> Session:
        app, account = self._app, self._account
        if account is None:
            raise Unknown(f"nobody is signed in: {HOW}")
        if app.supabase_url is None or app.anon_key is None:
            raise Unknown("nobody is signed in: write supabase_url and anon_key")
        body = {"email": account.email, "password": account.password.get_secret_value()}
        try:
            answer = await self._client.ask(
                f"{app.supabase_url}/auth/v1/token?grant_type=password",
                progress,
                method="POST",
                headers={
                    "apikey": app.anon_key.get_secret_value(),
                    "Content-Type": "application/json",
                },
                body=orjson.dumps(body),
            )
            told = _told(answer)
        except Failure as failure:
            raise Failure(
                failure.reason,
                f"sign-in: {failure.detail}",
                state=failure.state,
                retry_after=failure.retry_after,
            ) from None
        self._ends = self._clock.monotonic() + _lasts(told).total_seconds()
        name = app.cookie or cookie_name(app.supabase_url)
        user = told.get("user")
        ident = user.get("id") if isinstance(user, dict) else None
        pairs = cookies(told, name=name).items()
        return Session(str(ident or ""), "; ".join(f"{key}={value}" for key, value in pairs))


def _told(answer: Answer) -> Mapping[str, Any]:
    """Return the session that Supabase answers; raises Failure."""
    if answer.status in (400, 401, 403, 422):
        detail = f"{answer.where} refuses the synthetic user"
        raise Failure(Reason.AUTH, detail, state=State.MISCONFIGURED)
    told = answer.document()
    token = told.get("access_token") if isinstance(told, dict) else None
    if not isinstance(token, str) or not token:
        raise Failure(Reason.BODY, f"{answer.where} answered without a session")
    assert isinstance(told, dict)  # noqa: S101 - for the type checker: the token came from it
    return told


def _lasts(told: Mapping[str, Any]) -> timedelta:
    seconds = told.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return _SHORTEST
    spoken = min(timedelta(seconds=min(seconds, 1e6)), _LONGEST)
    return max(spoken - _EARLY, spoken / 2)


def cookie_name(supabase_url: str) -> str:
    """Return the cookie's name: Supabase's clients take the first label of the project's host."""
    return f"sb-{parse_url(supabase_url).host.partition('.')[0]}-auth-token"


def cookies(session: Mapping[str, Any], *, name: str) -> dict[str, str]:
    """Return the cookies that hold a session, in the order in which they are put together again."""
    encoded = base64.urlsafe_b64encode(orjson.dumps(session)).rstrip(b"=").decode("ascii")
    value = f"base64-{encoded}"
    if len(value) <= CHUNK:
        return {name: value}
    starts = range(0, len(value), CHUNK)
    return {f"{name}.{n}": value[at : at + CHUNK] for n, at in enumerate(starts)}


def refused(answer: Answer) -> Failure:
    """Return what an answer of the app's API that is no 200 means, for someone signed in."""
    where, status = answer.where, answer.status
    if is_gateway_timeout(answer):
        detail = f"{where} answered 504: the function ran out of time (FUNCTION_INVOCATION_TIMEOUT)"
        return Failure(Reason.GATEWAY_TIMEOUT, detail)
    if status in (401, 403):
        detail = f"{where} answered {status} to a good session"
        return Failure(Reason.AUTH, detail, state=State.MISCONFIGURED)
    if status == 429:
        wait = retry_after(answer)
        more = f"; retry after {wait:g} s" if wait is not None else ""
        detail = f"{where} answered 429: the rate limit is reached{more}"
        return Failure(Reason.RATE_LIMIT, detail, state=State.DEGRADED, retry_after=wait)
    if status in (400, 405, 415, 422):
        detail = f"{where} answered {status}: {said(answer) or 'the request does not suit it'}"
        return Failure(Reason.REQUEST, detail, state=State.MISCONFIGURED)
    try:
        answer.expect_ok()
    except Failure as failure:
        return failure
    return Failure(Reason.STATUS, f"{where} answered {status}, expected 200")


def is_gateway_timeout(answer: Answer) -> bool:
    """Say whether Vercel's gateway gave up on the app's function."""
    word = "FUNCTION_INVOCATION_TIMEOUT"
    return answer.status == 504 and (
        word in answer.headers.get("x-vercel-error", "") or word in answer.text[:2000]
    )


def retry_after(answer: Answer) -> float | None:
    """Return the seconds that a 429 asks to wait, by its header or the app's `retryAfter`."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    wait = told.get("retryAfter") if isinstance(told, dict) else None
    known = isinstance(wait, int | float) and not isinstance(wait, bool) and 0 <= wait < 1e7
    return float(wait) if known and wait is not None else None


def said(answer: Answer) -> str:
    """Return the app's own word on what is wrong, fit to be shown; empty where it gives none."""
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ""
    word = told.get("error") if isinstance(told, dict) else None
    return f'"{excerpt(word, 80)}"' if isinstance(word, str) and word else ""
