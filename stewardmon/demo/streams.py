"""Streaming answers that can break off without their end."""

from __future__ import annotations

from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Send

# What a stream yields in place of a chunk to break the connection there; known by identity.
CUT: Final = b"<cut>"


class Stream(StreamingResponse):
    """A streaming response that a `CUT` ends at once: the client misses the last chunk."""

    async def stream_response(self, send: Send) -> None:
        """Send the head and every chunk; after a cut, nothing more, not even the end."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        async for chunk in self.body_iterator:
            if chunk is CUT:
                return
            body = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
