"""What an answer's text becomes on the line: UTF-8, whatever stands in a label.

A label value may hold bytes that are no UTF-8 (a rule can write them: "\\xff"). Prometheus answers
with U+FFFD in their place, and so do we; what it must not do is fail the whole answer.
"""

from __future__ import annotations

import json
from typing import Any

from starlette import responses


def utf8(text: str) -> bytes:
    """Return the text as UTF-8; a lone surrogate, which has no encoding, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class JSONResponse(responses.JSONResponse):
    """An answer in JSON that any text fits into."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return utf8(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
