"""Signing in by token, and out again."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stewardmon.web.front import Front, local_path
from stewardmon.web.guard import NAME_LIMIT, RequestError, Role, form_body

TRIES: Final = 20
WITHIN: Final = 60.0  # seconds: after TRIES wrong tokens everybody waits


def routes(front: Front) -> list[Route]:
    """Return the addresses of signing in and out."""
    tries = _Tries()

    async def ask(request: Request) -> Response:
        if not front.guard.changeable and front.guard.open_to_look:
            return front.message(
                request,
                title="There is nothing to sign in to",
                text="Start stewardmon with STEWARDMON_TOKEN to allow changes.",
            )
        return _form(front, request)

    async def enter(request: Request) -> Response:
        fields = await form_body(request)
        _must_be_ours(front, request)
        if tries.too_many():
            return _form(front, request, status=429, wrong="Too many wrong tokens: wait a minute.")
        name = " ".join(fields.get("name", "").split())[:NAME_LIMIT]
        role = front.guard.role_of(fields.get("token", ""))
        if role is Role.NOBODY:
            tries.wrong()
            return _form(front, request, status=403, wrong="This is not the token.", name=name)
        if not name:
            return _form(front, request, status=400, wrong="Say who you are: others will see it.")
        answer = RedirectResponse(front.prefix + local_path(fields.get("next", "/")), 303)
        front.guard.remember(answer, name=name, role=role, path=front.prefix)
        return answer

    async def leave(request: Request) -> Response:
        _must_be_ours(front, request)
        answer = RedirectResponse(f"{front.prefix}/", 303)
        front.guard.forget(answer, path=front.prefix)
        return answer

    return [
        Route("/sign-in", ask, methods=["GET"]),
        Route("/sign-in", enter, methods=["POST"]),
        Route("/sign-out", leave, methods=["POST"]),
    ]


class _Tries:
    """Counts wrong tokens, so that nobody can try many."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=TRIES)

    def wrong(self) -> None:
        """Count one."""
        self._at.append(asyncio.get_running_loop().time())

    def too_many(self) -> bool:
        """Say whether everybody must wait."""
        now = asyncio.get_running_loop().time()
        return len(self._at) == TRIES and now - self._at[0] < WITHIN


def _form(
    front: Front, request: Request, *, status: int = 200, wrong: str = "", name: str = ""
) -> Response:
    people = front.live.responder.book.roster.people.values()
    return front.page(
        request,
        "sign_in.html",
        status=status,
        wrong=wrong,
        name=name,
        next=local_path(request.query_params.get("next", "/")),
        people=[(one.id, one.name) for one in people],
    )


def _must_be_ours(front: Front, request: Request) -> None:
    if not front.guard.same_origin(request):
        raise RequestError("this form was sent from another site", 403)
