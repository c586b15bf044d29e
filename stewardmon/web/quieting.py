"""The page of silences and maintenance windows: what is muted, until when, by whom, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.maintenance import Maintenance, MaintenanceError, Once, Weekly
from stewardmon.domain.quantity import parse_duration
from stewardmon.domain.silence import Silence, SilenceError, SilenceState
from stewardmon.engine.live import Live
from stewardmon.errors import ExpressionError
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError, text_field
from stewardmon.web.incidents import read_time

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OVER_SHOWN: Final = 20
LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A silence with what it mutes now."""

    silence: Silence
    state: SilenceState
    mutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A maintenance window in words; `until` is None while it is closed."""

    window: Maintenance
    when: str
    until: datetime | None
    removable: bool


#: What is wrong with what somebody typed: told on the page, beside the form.
_MISTAKES: Final = (
    MaintenanceError,
    SilenceError,
    ExpressionError,
    RequestError,
    OverflowError,
)


def routes(front: Front) -> list[Route]:
    """Return the addresses of silences and maintenance windows for people."""

    async def listed(request: Request) -> Response:
        given = {"matchers": request.query_params.get("matchers", "")[:1000]}
        return _show(front, request, given=given)

    return [
        Route("/silences", listed, methods=["GET"]),
        *_silence_forms(front),
        *_window_forms(front),
    ]


def _show(
    front: Front,
    request: Request,
    *,
    status: int = 200,
    wrong: str = "",
    given: Mapping[str, str] | None = None,
    window: Mapping[str, str] | None = None,
) -> Response:
    """Return the page; `given` and `window` are what was typed into its two forms."""
    live = front.live
    now = live.clock.now()
    found = quiets(live, now=now)
    return front.page(
        request,
        "silences.html",
        status=status,
        wrong=wrong,
        given=given or {},
        window=window or {},
        current=[one for one in found if one.state is not SilenceState.EXPIRED],
        over=[one for one in reversed(found) if one.state is SilenceState.EXPIRED][:OVER_SHOWN],
        windows=windows(live, now=now),
    )


def _silence_forms(front: Front) -> list[Route]:
    live = front.live

    async def add(request: Request) -> Response:
        fields = await front.form(request)
        now = live.clock.now()
        try:
            wanted = _wanted(fields, now=now)
            await live.silences.put(wanted, now=now, sure=bool(fields.get("sure")))
        except _MISTAKES as error:
            return _show(front, request, status=409, wrong=f"{error}.", given=fields)
        return _done(front)

    async def expire(request: Request) -> Response:
        await front.form(request)
        try:
            await live.silences.expire(request.path_params["ident"], now=live.clock.now())
        except SilenceError as error:
            return _show(front, request, status=409, wrong=f"{error}.")
        return _done(front)

    return [
        Route("/silences", add, methods=["POST"]),
        Route("/silences/{ident}/expire", expire, methods=["POST"]),
    ]


def _window_forms(front: Front) -> list[Route]:
    live = front.live

    async def add(request: Request) -> Response:
        fields = await front.form(request)
        now = live.clock.now()
        try:
            await live.silences.open_window(_window(fields, now=now), now=now)
        except _MISTAKES as error:
            return _show(front, request, status=409, wrong=f"{error}.", window=fields)
        return _done(front)

    async def close(request: Request) -> Response:
        await front.form(request)
        try:
            await live.silences.close_window(request.path_params["ident"], now=live.clock.now())
        except MaintenanceError as error:
            return _show(front, request, status=409, wrong=f"{error}.")
        return _done(front)

    return [
        Route("/maintenance", add, methods=["POST"]),
        Route("/maintenance/{ident}/close", close, methods=["POST"]),
    ]


def _done(front: Front) -> Response:
    return RedirectResponse(f"{front.prefix}/silences", status_code=303)


def quiets(live: Live, *, now: datetime) -> list[Quiet]:
    """Return every silence with the number of firing alerts that meet it."""
    firing = list(live.responder.firing.values())
    return [
        Quiet(
            silence=one,
            state=one.state(now),
            mutes=sum(1 for alert in firing if one.accepts(alert.labels)),
        )
        for one in live.silences.listed()
    ]


def windows(live: Live, *, now: datetime) -> Sequence[Window]:
    """Return the maintenance windows of the files and those set at run time."""
    return [
        Window(
            window=one,
            when=in_words(one.span),
            until=one.span.until(now),
            removable=bool(one.created_by),
        )
        for one in live.silences.windows()
    ]


def in_words(span: Once | Weekly) -> str:
    """Return when a window is open: `Thu 20:00 to 21:00 (Europe/Berlin)`."""
    match span:
        case Once():
            return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
        case Weekly():
            days = ", ".join(_DAYS[day] for day in sorted(span.days))
            hours = f"{span.start:%H:%M} to {span.end:%H:%M}"
            return f"{days} {hours} ({span.timezone.key})"
        case _:
            assert_never(span)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text: one a line, or several between commas outside of quotes.

    `name=value`, `name!=value`, `name=~"pattern"`, `name!~"pattern"`. Raises SilenceError and
    ExpressionError.
    """
    found = []
    for part in _parts(text):
        name, op, value = _split(part)
        found.append(Matcher(name, op, value))
    return tuple(found)


def _wanted(fields: dict[str, str], *, now: datetime) -> Silence:
    body = dict(fields)
    length = parse_duration(text_field(body, "for", default="1h", limit=50))
    if length > LONGEST:
        raise SilenceError("a silence lasts a year at the most")
    return Silence(
        id="",
        matchers=parse_matchers(text_field(body, "matchers", limit=5000)),
        starts_at=now,
        ends_at=now + length,
        updated_at=now,
        created_by=fields["by"],
        comment=text_field(body, "reason"),
    )


def _window(fields: Mapping[str, str], *, now: datetime) -> Maintenance:
    """Return the window that a form asks for: from a time (now) on, for so long."""
    body = dict(fields)
    begins = text_field(body, "starts_at", limit=50)
    try:
        start = read_time(begins) if begins else now
    except ValueError:
        raise MaintenanceError(f"{begins[:40]!r} is no time such as 2026-11-23T12:00Z") from None
    length = parse_duration(text_field(body, "for", default="1h", limit=50))
    if length > LONGEST:
        raise MaintenanceError("a window lasts a year at the most")
    matchers = text_field(body, "matchers", limit=5000)
    return Maintenance(
        id="",
        name=text_field(body, "name", limit=100) or "maintenance",
        matchers=parse_matchers(matchers) if matchers.strip() else (),
        span=Once(start, start + length),
        created_by=fields["by"],
        reason=text_field(body, "reason"),
    )


def _parts(text: str) -> list[str]:
    parts, inside, begun = [], False, 0
    for place, sign in enumerate(text):
        if sign == '"' and (place == 0 or text[place - 1] != "\\"):
            inside = not inside
        elif sign in ",\r\n" and not inside:
            parts.append(text[begun:place])
            begun = place + 1
    parts.append(text[begun:])
    return [part.strip() for part in parts if part.strip()]


def _split(part: str) -> tuple[str, Op, str]:
    for place, sign in enumerate(part):
        if sign not in "=!":
            continue
        two = part[place : place + 2]
        op = next((op for op in (Op.NOT_EQUAL, Op.MATCHES, Op.NOT_MATCHES) if op == two), None)
        if op is None and sign == Op.EQUAL:
            op = Op.EQUAL
        if op is None:
            break
        return part[:place].strip(), op, _unquoted(part[place + len(op) :].strip())
    raise SilenceError(f'{part[:60]!r} is no matcher: write one such as job="app"')


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value
