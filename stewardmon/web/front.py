"""What every page is built from: the daemon, who may do what, and the frame around the content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from stewardmon import __version__
from stewardmon.engine.live import Live
from stewardmon.web.assets import address
from stewardmon.web.guard import Guard, RequestError, form_body
from stewardmon.web.render import page
from stewardmon.web.tally import Tally

NAV: Final = (
    ("/", "Status"),
    ("/rules", "Rules"),
    ("/oncall", "On call"),
    ("/silences", "Silences"),
    ("/history", "History"),
    ("/reports", "Reports"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Draws pages. `prefix` is the path of the public address, empty for none."""

    live: Live
    guard: Guard
    tally: Tally
    prefix: str = ""

    def page(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        """Return a page with the frame that the caller's role wants."""
        caller = self.guard.caller(request)
        return page(
            template,
            status=status,
            packed="gzip" in request.headers.get("accept-encoding", ""),
            **{
                "now": self.live.clock.now(),
                "root": self.prefix,
                "here": request.url.path,
                "nav": NAV,
                "asset": address,
                "me": caller,
                "changeable": self.guard.changeable,
                "form_token": self.guard.form_token(caller),
                "version": __version__,
                "location": self.live.location,
                "mark": getattr(request.state, "mark", ""),
                "speed": getattr(self.live.clock, "speed", 1),
                "zone": "",
                **context,
            },
        )

    def message(
        self,
        request: Request,
        *,
        title: str,
        text: str,
        status: int = 200,
        back: tuple[str, str] = ("/", "To the status page"),
    ) -> Response:
        """Return a page that says one thing, with a way on."""
        return self.page(
            request,
            "message.html",
            status=status,
            title=title,
            text=text,
            back=back[0],
            back_text=back[1],
        )

    async def form(self, request: Request) -> dict[str, str]:
        """Return the fields of a form of ours, sent by somebody who may act; `by` is their name.

        Raises RequestError for every other.
        """
        fields = await form_body(request)
        caller = self.guard.check_form(request, fields)
        if any(len(value) > 10_000 for value in fields.values()):
            raise RequestError("a field is longer than 10000 characters", 413)
        return {**fields, "by": caller.name or fields.get("by", "") or "operator"}


def local_path(text: str, *, default: str = "/") -> str:
    """Return a path of this site, `default` for anything that leads elsewhere."""
    leads_away = text.startswith(("//", "/\\")) or any(ord(sign) < 33 for sign in text)
    return default if leads_away or not text.startswith("/") else text
