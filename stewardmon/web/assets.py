"""Our stylesheet, script and icon: read once, named by their content, kept by browsers for ever."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.web.guard import RequestError

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `mark` changes with its content."""

    body: bytes
    packed: bytes
    kind: str
    mark: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Return every file by its name."""
    found = {}
    for file in files("stewardmon.web").joinpath("static").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            mark = blake2b(body, digest_size=6).hexdigest()
            found[file.name] = Asset(body, gzip.compress(body), kind, mark)
    return found


def address(name: str) -> str:
    """Return the address of a file: a new one whenever its content is new."""
    return f"/static/{name}?v={assets()[name].mark}"


def routes() -> list[Route]:
    """Return the addresses of our files."""

    async def send(request: Request) -> Response:
        asset = assets().get(request.path_params["name"])
        if asset is None:
            raise RequestError("there is no such file", 404)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {
            "Content-Type": asset.kind,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        if request.query_params.get("v") == asset.mark:
            headers["Cache-Control"] = FOR_EVER
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(asset.packed if packed else asset.body, headers=headers)

    return [Route("/static/{name}", send)]
