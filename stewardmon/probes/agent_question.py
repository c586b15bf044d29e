"""A question put to the agent: the request, and the answer that came whole."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import orjson

from stewardmon.network.progress import Progress
from stewardmon.probes.agent_answer import whole
from stewardmon.probes.rest import Answer, Client
from stewardmon.probes.steward import Session, refused

PATH: Final = "/api/agent/query"
JSON: Final = {"Content-Type": "application/json"}
TOKENS: Final = 2000  # what the app spends at its AI provider for one question, about


def nonce() -> str:
    """Return a word that was never asked: the app's cache knows a question by its beginning."""
    return secrets.token_hex(6)


async def post(
    client: Client,
    url: str,
    body: object,
    progress: Progress,
    *,
    session: Session | None = None,
) -> Answer:
    """Send a body as JSON (bytes as they are), signed in where there is a session; raises Failure.

    `url` is the app's, without a path.
    """
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    cookie = {"Cookie": session.header} if session is not None else {}
    return await client.ask(
        url + PATH, progress, method="POST", headers={**JSON, **cookie}, body=raw
    )


async def put(
    client: Client, url: str, query: str, progress: Progress, *, session: Session
) -> Mapping[str, Any]:
    """Ask a question and return what was answered; raises Failure for whatever is no answer."""
    answer = await post(client, url, {"query": query}, progress, session=session)
    if answer.status != 200:
        raise refused(answer)
    return whole(answer)
