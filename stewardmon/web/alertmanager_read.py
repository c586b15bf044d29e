"""What programs send over Alertmanager's API v2, checked and made into values."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from stewardmon.domain.external import NOTHING, Posted, lasts
from stewardmon.domain.labels import Labels, Matcher, Op, Pair
from stewardmon.domain.silence import Silence
from stewardmon.errors import ExpressionError
from stewardmon.web.guard import RequestError

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_AT_ONCE: Final = 64  # alerts between two turns of the loop: half a millisecond
_SEEN_AT_MOST: Final = 1000
_seen_names: Final[set[str]] = set()  # label names that are known to be well formed
_ZERO_YEAR: Final = 1  # Go's zero time, 0001-01-01T00:00:00Z: not set
_OPS: Final = {
    (True, False): Op.EQUAL,
    (False, False): Op.NOT_EQUAL,
    (True, True): Op.MATCHES,
    (False, True): Op.NOT_MATCHES,
}


async def read_alerts(
    body: Any, *, now: datetime, rest: Callable[[], Awaitable[None]]
) -> tuple[list[Posted], str]:
    """Return the alerts of a postableAlerts body, and what is wrong with others in it.

    As in Alertmanager, good alerts count though others beside them are bad. `rest` lets other work
    go on now and then. Raises RequestError where the body is no list of objects with labels.
    """
    if not isinstance(body, list):
        raise RequestError("the body must be a list of alerts")
    good: list[Posted] = []
    wrong = ""
    pairs: dict[Pair, Pair] = {}  # alerts that come together agree on most of what they say
    urls: dict[str, str] = {}
    for place, one in enumerate(body):
        if place % _AT_ONCE == _AT_ONCE - 1:
            await rest()
        if not isinstance(one, dict):
            raise RequestError(f"alert {place} must be an object")
        labels, annotations = _texts(one, "labels", place), _texts(one, "annotations", place)
        url = one.get("generatorURL") or ""
        if not isinstance(url, str):
            raise RequestError(f"generatorURL of alert {place} must be a text")
        posted = Posted(
            labels=Labels.sharing(labels, pairs),
            annotations=Labels.sharing(annotations, pairs) if annotations else NOTHING,
            starts_at=_time(one, "startsAt", "alert", place),
            ends_at=_time(one, "endsAt", "alert", place),
            generator_url=urls.setdefault(url, url),
        )
        refused = _refused(posted, labels, now)
        if refused:
            wrong = wrong or f"alert {place}: {refused}"
        else:
            good.append(posted)
    return good, wrong


def _refused(posted: Posted, labels: dict[str, str], now: datetime) -> str:
    if not posted.labels.pairs:
        return "at least one label pair required"
    if not labels.keys() <= _seen_names:
        for name in labels:
            if not _LABEL.fullmatch(name):
                return f"invalid label set: invalid name {name[:60]!r}"
        if len(_seen_names) < _SEEN_AT_MOST:
            _seen_names.update(labels)
    if posted.starts_at and lasts(posted, now) < posted.starts_at:
        return "start time must be before end time"
    return ""


def read_silence(body: Any) -> Silence:
    """Return the silence of a postableSilence body; an empty id is a new one.

    Raises RequestError for what is missing or of the wrong type, and for broken expressions.
    """
    if not isinstance(body, dict):
        raise RequestError("the body must be a silence: an object")
    matchers = body.get("matchers")
    if not isinstance(matchers, list):
        raise RequestError("matchers must be a list")
    starts_at, ends_at = (_time(body, key, "the silence") for key in ("startsAt", "endsAt"))
    if starts_at is None or ends_at is None:
        raise RequestError("startsAt and endsAt are times such as 2026-11-23T09:00:00Z")
    return Silence(
        id=_text(body, "id", limit=100),
        matchers=_matchers(matchers),
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=starts_at,
        created_by=_said(body, "createdBy", limit=200),
        comment=_said(body, "comment", limit=4096),
    )


def _matchers(found: Sequence[Any]) -> tuple[Matcher, ...]:
    matchers = []
    for one in found:
        if not isinstance(one, dict):
            raise RequestError("a matcher must be an object: name, value, isRegex, isEqual")
        name, value = one.get("name"), one.get("value")
        # Alertmanager before 0.22 had no isEqual: missing means true.
        equal, regex = one.get("isEqual"), one.get("isRegex")
        equal = True if equal is None else equal
        if not isinstance(name, str) or not isinstance(value, str):
            raise RequestError("a matcher's name and value must be texts")
        if not _LABEL.fullmatch(name):
            raise RequestError(f"invalid label name {name[:60]!r}")
        if not isinstance(equal, bool) or not isinstance(regex, bool):
            raise RequestError("a matcher's isRegex and isEqual must be true or false")
        try:
            matchers.append(Matcher(name, _OPS[equal, regex], value))
        except ExpressionError as error:
            raise RequestError(str(error)[:300]) from None
    return tuple(matchers)


def _texts(one: dict[str, Any], key: str, place: int) -> dict[str, str]:
    found = one.get(key)
    if found is None and key == "annotations":
        return {}
    if not isinstance(found, dict):
        raise RequestError(f"{key} of alert {place} must be an object")
    for value in found.values():
        if type(value) is not str:
            raise RequestError(f"{key} of alert {place} must be texts")
    return found


def _said(body: dict[str, Any], key: str, *, limit: int) -> str:
    """Return a text that may be empty and must be there."""
    if body.get(key) is None:
        raise RequestError(f"{key} is missing")
    return _text(body, key, limit=limit)


def _text(body: dict[str, Any], key: str, *, limit: int) -> str:
    value = body.get(key)
    value = "" if value is None else value
    if not isinstance(value, str) or len(value) > limit:
        raise RequestError(f"{key} must be a text of at most {limit} characters")
    return value


def _time(one: dict[str, Any], key: str, what: str, place: int = -1) -> datetime | None:
    text = one.get(key)
    if text is None or text == "":
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.year <= _ZERO_YEAR:
            return None
        aware = at.astimezone(UTC) if at.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        aware = None
    if aware is None:
        which = what if place < 0 else f"{what} {place}"
        raise RequestError(f"{key} of {which} must be a time such as 2026-11-23T09:00:00Z")
    return aware
