"""Pages from templates: escaped by default, compressed where the browser takes it."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse, Response

from stewardmon.domain.display import format_since, format_value
from stewardmon.web.encoding import utf8

if TYPE_CHECKING:
    from jinja2 import Environment

_FASTEST: Final = 1  # gzip's level: a page of 100 KB in a millisecond


def page(template: str, *, status: int = 200, packed: bool = False, **context: Any) -> Response:
    """Return the page; `packed` says that the browser takes gzip.

    A template that names what it was not given is a bug, and loud.
    """
    text = templates().get_template(template).render(context)
    answer = HTMLResponse(utf8(text), status_code=status)
    if packed and len(answer.body) > 1024:
        body = gzip.compress(bytes(answer.body), _FASTEST)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return HTMLResponse(body, status_code=status, headers=headers)
    return answer


def prepare() -> None:
    """Read and compile every template; takes a fifth of a second, and may be done in a thread."""
    environment = templates()
    for name in environment.list_templates():
        environment.get_template(name)


def moment(at: datetime | None) -> str:
    """Return a time as pages show it: UTC to the second, empty for none."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def machine(at: datetime) -> str:
    """Return a time as `<time datetime>` wants it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago, or in how long, something is: `5 min ago`, `in 2 h`."""
    if at > now:
        return f"in {format_since(at - now)}"
    return f"{format_since(now - at)} ago"


def span(duration: timedelta | None) -> str:
    """Return a span of time as people read it; a dash for none."""
    return "–" if duration is None else format_since(duration)


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return what pages are made with, made once."""
    # Imported at the first page: a daemon that nobody looks at does not pay for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("stewardmon.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        moment=moment, machine=machine, ago=ago, span=span, value=format_value
    )
    return environment
