"""`/messages`: what each message looks like in each form, before it has to be read at 3 a.m."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from stewardmon.domain.notification import NotificationEvent
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError

#: A mail brings its styles and its chart inside, and runs nothing.
MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; sandbox"
)


def routes(front: Front) -> list[Route]:
    """Return the address of the previews, and of each mail as a mail program shows it."""
    live = front.live

    # Every channel's message maker: loaded by whoever looks at the previews.
    async def show(request: Request) -> Response:
        from stewardmon.channels.preview import preview, sample  # noqa: PLC0415

        now = live.clock.now()
        url = live.external_url
        found = [
            preview(sample(one, now=now, external_url=url), now=now) for one in NotificationEvent
        ]
        return front.page(request, "messages.html", previews=found, now=now)

    async def mail(request: Request) -> Response:
        try:
            event = NotificationEvent(request.path_params["event"])
        except ValueError:
            raise RequestError("there is no such message", 404) from None
        from stewardmon.channels.preview import page, sample  # noqa: PLC0415

        now = live.clock.now()
        shown = sample(event, now=now, external_url=live.external_url)
        # Off the loop: the chart takes milliseconds.
        html = await asyncio.to_thread(page, shown, now=now)
        return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_POLICY})

    return [Route("/messages", show), Route("/messages/{event}/mail", mail)]
