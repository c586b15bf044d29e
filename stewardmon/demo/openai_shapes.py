"""The bodies that the AI vendor sends: completions, responses, their streams and their usage."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

WORDS: Final = ("Pong", ",", " all", " is", " well", ".")


def usage(asked: object) -> dict[str, int]:
    """Return what a completion of a few words costs, at four characters a token."""
    prompt = max(1, len(json.dumps(asked)) // 4)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(WORDS),
        "total_tokens": prompt + len(WORDS),
    }


def chat_head(kind: str, model: str) -> dict[str, Any]:
    """Return what every chat completion and chunk begins with."""
    ident = f"chatcmpl-{secrets.token_hex(12)}"
    return {"id": ident, "object": kind, "created": 1767225600, "model": model}


def chat_chunks(model: str, spent: Mapping[str, int] | None) -> list[str]:
    """Return a completion as server-sent events: role, words, stop, usage where asked, [DONE]."""
    head = chat_head("chat.completion.chunk", model)
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in WORDS]
    chunks = [_choice(head, delta, None) for delta in deltas] + [_choice(head, {}, "stop")]
    if spent:
        chunks.append({**head, "choices": [], "usage": spent})
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def _choice(
    head: Mapping[str, Any], delta: Mapping[str, str], finish: str | None
) -> dict[str, Any]:
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def response(model: str, spent: Mapping[str, int]) -> dict[str, Any]:
    """Return a finished response of /v1/responses."""
    text = {"type": "output_text", "text": "".join(WORDS)}
    return {
        "id": f"resp_{secrets.token_hex(12)}",
        "object": "response",
        "status": "completed",
        "model": model,
        "output": [{"type": "message", "role": "assistant", "content": [text]}],
        "usage": {
            "input_tokens": spent["prompt_tokens"],
            "output_tokens": spent["completion_tokens"],
            "total_tokens": spent["total_tokens"],
        },
    }


def response_events(done: Mapping[str, Any]) -> list[str]:
    """Return a response as server-sent events: created, deltas, completed."""
    started = {**done, "status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": started})]
    events += [("response.output_text.delta", {"delta": word}) for word in WORDS]
    events.append(("response.completed", {"response": done}))
    return [f"event: {kind}\ndata: {json.dumps({'type': kind, **e})}\n\n" for kind, e in events]


def vector(text: str) -> list[float]:
    """Return a short embedding that depends on the text."""
    angles = (math.sin(len(text) + n) for n in range(8))
    return [round(value, 6) for value in angles]
