"""The checks of the security probe: what each asks of the app, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import orjson
import re2

from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.posture import (
    Weakness,
    judge_cookie,
    judge_cors,
    judge_error,
    judge_headers,
    judge_script,
)
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import Certificates
from stewardmon.network.dial import private
from stewardmon.network.endpoint import literal, parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.rest import Answer, Client
from stewardmon.probes.tls import left

if TYPE_CHECKING:
    from stewardmon.probes.security import SecuritySettings

_NOWHERE: Final = "/api/stewardmon-asks-for-nothing"
_SCRIPT: Final = re2.compile(r"<script[^>]{0,300}\ssrc=[\"']?([^\"'\s>]{1,300})")
_SCRIPTS: Final = 8
# Bytes that are judged: looking for secrets takes 0.2 s a MiB, and an error says it at its start.
_OF_AN_ERROR: Final = 64 * 1024
_OF_A_SCRIPT: Final = 512 * 1024
_REFUSALS: Final = frozenset({401, 403})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NONE: Final = re2.compile(r"(?i)private|no-store|no-cache")


class Site:
    """One look at an app: what was asked once is not asked again."""

    def __init__(
        self, settings: SecuritySettings, client: Client, progress: Progress, now: datetime
    ) -> None:
        self.settings = settings
        self.now = now
        self._client = client
        self._progress = progress
        self._pages: dict[str, Answer] = {}

    @property
    def secure(self) -> bool:
        """Say whether the app is asked over TLS."""
        return self.settings.url.startswith("https://")

    async def get(self, path: str) -> Answer:
        """Return the answer to a plain GET; raises Failure."""
        if path not in self._pages:
            self._pages[path] = await self.ask(path)
        return self._pages[path]

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request; raises Failure."""
        url = path if "://" in path else self.settings.url + path
        return await self._client.ask(
            url, self._progress, method=method, headers=headers, body=body
        )

    def guarded(self) -> list[tuple[str, str]]:
        """Return the method and path of what asks for a session."""
        settings = self.settings
        return [
            *(("GET", path) for path in settings.protected),
            *(("POST", path) for path in settings.protected_posts),
        ]


async def _headers(site: Site) -> AsyncIterator[Weakness]:
    """Look at the front page, a refusal of the API, and a page that is not there."""
    answers = [await site.get("/"), await site.get(_NOWHERE)]
    answers += [await site.get(path) for path in site.settings.protected[:1]]
    for path, answer in zip(("/", "a 404", "an API's answer"), answers, strict=False):
        for weakness in judge_headers(answer.headers, path):
            yield weakness


async def _tls(site: Site) -> AsyncIterator[Weakness]:
    """Look at the certificate, and whether plain HTTP leads to TLS."""
    endpoint = parse_url(site.settings.url)
    if not site.secure:
        if endpoint.host == "localhost" or (literal(endpoint.host) and private(endpoint.host)):
            detail = "the address is a private one without TLS"
            raise Failure(Reason.TLS, detail, state=State.UNKNOWN)
        yield _weak("tls", 40, "the app is served without TLS", critical=True)
        return
    shown = (await site.get("/")).certificates
    if shown is not None:
        for weakness in _certificate(shown, now=site.now):
            yield weakness
    if endpoint.port == 443:
        plain = await site.ask(f"http://{endpoint.host}/")
        place = plain.headers.get("location", "")
        if plain.status not in _REDIRECTS or not place.startswith("https://"):
            yield _weak("tls", 20, "plain HTTP does not lead to HTTPS")


def _certificate(shown: Certificates, *, now: datetime) -> list[Weakness]:
    share = left(shown, now=now)
    found = []
    if share < 0.10:
        found.append(_weak("tls", 20, f"{share:.0%} of the certificate's life is left"))
    elif share < 0.25:
        found.append(_weak("tls", 5, f"{share:.0%} of the certificate's life is left"))
    if shown.version in ("TLSv1", "TLSv1.1"):
        found.append(_weak("tls", 20, f"the server speaks {shown.version}"))
    return found


async def _cors(site: Site) -> AsyncIterator[Weakness]:
    """Ask as pages of strangers do: another site, a sandbox, a look-alike, our own without TLS."""
    host = parse_url(site.settings.url).host
    # Both ways to match a name carelessly: by its beginning, by its end.
    origins = ["https://evil.example", "null", f"https://{host}.evil.example"]
    origins.append(f"https://evil-{host}")
    if site.secure:
        origins.append(f"http://{host}")
    path = (*site.settings.protected, "/")[0]
    worst: dict[str, Weakness] = {}
    for origin in origins:
        answer = await site.ask(path, headers={"Origin": origin})
        for weakness in judge_cors(answer.headers, origin):
            kept = worst.setdefault(f"{weakness.points}", weakness)
            if kept is weakness:
                yield weakness
    own = site.settings.url.rstrip("/")
    answer = await site.ask(path, headers={"Origin": own})
    for weakness in judge_cors(answer.headers, own, foreign=False):
        if worst.setdefault(f"{weakness.points}", weakness) is weakness:
            yield weakness


async def _errors(site: Site) -> AsyncIterator[Weakness]:
    """Provoke a 400, a 401, a 404 and a 405, and read what they say."""
    seen: list[tuple[str, Answer]] = [("a 404", await site.get(_NOWHERE))]
    for method, path in site.guarded()[:3]:
        answer = await _knock(site, method, path)
        seen.append((f"{answer.status} of {path}", answer))
    for path in site.settings.protected_posts[:1]:
        seen.append(("an answer to broken JSON", await _post(site, path, b'{"query": ')))
        seen.append(("a 405", await site.ask(path, method="DELETE")))
    for where, answer in seen:
        for weakness in judge_error(_start(answer, _OF_AN_ERROR), where):
            yield weakness


async def _auth(site: Site) -> AsyncIterator[Weakness]:
    """Ask for what is protected without a session, and with tokens that nobody signed."""
    for method, path in site.guarded():
        for how, headers in _STRANGERS.items():
            cookie = {"Cookie": f"{site.settings.cookie}={headers}"} if headers else {}
            answer = await _knock(site, method, path, cookie)
            if answer.status in _REFUSALS or answer.status in {404, 405, 429}:
                continue
            if answer.status in _REDIRECTS and "login" in answer.headers.get("location", ""):
                continue
            if 200 <= answer.status < 300:
                text = f"{method} {path} answers {answer.status} {how}"
                yield _weak("auth", 50, text, critical=True)
                if not _NONE.search(answer.headers.get("cache-control", "")):
                    yield _weak("auth", 10, f"caches may keep {path} (no private, no no-store)")
            elif answer.status == 400:
                text = f"{method} {path} reads the request {how}: 400 before 401"
                yield _weak("auth", 50, text, critical=True)
            else:
                yield _weak("auth", 5, f"{method} {path} answers {answer.status} {how}, not 401")
            break


async def _debug(site: Site) -> AsyncIterator[Weakness]:
    """Ask for what must not be in production."""
    for path in site.settings.forbidden:
        answer = await site.get(path)
        if not 200 <= answer.status < 300:
            continue
        # An app of one page answers every path with that page.
        if path.startswith("/.") and b"<html" in answer.body[:2000].lower():
            continue
        yield _weak("debug", 20, f"{path} answers strangers", critical=path.startswith("/."))


async def _scripts(site: Site) -> AsyncIterator[Weakness]:
    """Read the front page and the scripts that it loads from its own site, away from the loop.

    Raises Failure at the end where something was too long to be read as a whole.
    """
    home = await site.get("/")
    sources = await asyncio.to_thread(_SCRIPT.findall, _start(home, _OF_A_SCRIPT))
    own = urlsplit(site.settings.url).netloc
    urls = [urljoin(site.settings.url + "/", source) for source in dict.fromkeys(sources)]
    asked = [url for url in urls[:_SCRIPTS] if urlsplit(url).netloc == own]
    long: list[str] = []
    for url in ("", *asked):
        answer = await site.ask(url) if url else home
        name = excerpt(urlsplit(url).path, 60) if url else "the front page"
        for weakness in await asyncio.to_thread(_judged, _start(answer, _OF_A_SCRIPT), name):
            yield weakness
        if len(answer.body) > _OF_A_SCRIPT:
            long.append(name)
    if long:
        detail = f"of {', '.join(long)} only the first {_OF_A_SCRIPT >> 10} KiB were read"
        raise Failure(Reason.TOO_LARGE, detail)


def _judged(text: str, name: str) -> list[Weakness]:
    return list(judge_script(text, name))


def _start(answer: Answer, length: int) -> str:
    """Return the beginning of a body as text."""
    return answer.body[:length].decode("utf-8", "replace")


async def _cookies(site: Site) -> AsyncIterator[Weakness]:
    """Look at the cookies that pages set for strangers."""
    for path in ("/", *site.settings.pages):
        answer = await site.get(path)
        for name, value in answer.raw_headers:
            if name.lower() == b"set-cookie":
                cookie = value.decode("latin-1")
                for weakness in judge_cookie(cookie, secure=site.secure):
                    yield weakness


async def _burst(site: Site) -> AsyncIterator[Weakness]:
    """Ask more often than the app allows, and see whether it says so."""
    path = (*site.settings.protected, "/")[0]
    for _ in range(site.settings.burst):
        answer = await site.ask(path)
        if answer.status == 429:
            if not answer.headers.get("retry-after"):
                yield _weak("burst", 5, "a refusal for too many requests has no Retry-After")
            return
    text = f"{site.settings.burst} requests in a row were all answered: there is no rate limit"
    yield _weak("burst", 20, text)


async def _knock(
    site: Site, method: str, path: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask for what is protected; an empty query costs nothing even where it is let in."""
    if method == "GET":
        return await site.get(path) if not headers else await site.ask(path, headers=headers)
    return await _post(site, path, b'{"query": ""}', headers)


async def _post(
    site: Site, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> Answer:
    fields = {"Content-Type": "application/json", **(headers or {})}
    return await site.ask(path, method="POST", headers=fields, body=body)


def _weak(check: str, points: int, text: str, *, critical: bool = False) -> Weakness:
    return Weakness(check=check, text=text, points=points, critical=critical)


def _session(algorithm: str, signature: str) -> str:
    """Return a session's cookie as Supabase writes it, with a token that nobody signed."""
    head = _encoded({"alg": algorithm, "typ": "JWT"})
    nobody = "00000000-0000-4000-8000-000000000000"
    claims = _encoded({"sub": nobody, "role": "authenticated", "exp": 4102444800})
    session = {"access_token": f"{head}.{claims}.{signature}", "token_type": "bearer"}
    return "base64-" + _encoded({**session, "refresh_token": "none", "expires_at": 4102444800})


def _encoded(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


_STRANGERS: Final[Mapping[str, str]] = {
    "without a session": "",
    "with an unsigned token": _session("none", ""),
    "with a forged token": _session("HS256", "c3Rld2FyZG1vbi1mb3JnZWQtc2lnbmF0dXJl"),
}
NOISY: Final = frozenset({"burst"})
CHECKS: Final[Mapping[str, Callable[[Site], AsyncIterator[Weakness]]]] = {
    "headers": _headers,
    "tls": _tls,
    "cors": _cors,
    "errors": _errors,
    "auth": _auth,
    "debug": _debug,
    "scripts": _scripts,
    "cookies": _cookies,
    "burst": _burst,
}
