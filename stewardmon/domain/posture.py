"""What an app's answers say of its security: each weakness with the points that it costs.

The points are Mozilla's Observatory's where it has the test (github.com/mdn/mdn-http-observatory,
scoring), from 100 down; what lets a stranger in, or hands him a key, is critical whatever the sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stewardmon.domain import leaks
from stewardmon.domain.redact import excerpt

HALF_A_YEAR: Final = 15_768_000  # seconds of Strict-Transport-Security
WHOLE: Final = 100
_MAX_AGE: Final = re.compile(r"max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE)
_UNSAFE_REFERRER: Final = frozenset({"unsafe-url", "no-referrer-when-downgrade"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """One finding: which check found it, what it costs, and whether it lets strangers in."""

    check: str
    text: str
    points: int
    critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The score-card: what was found, and which checks could not be made, with why."""

    weaknesses: tuple[Weakness, ...]
    unseen: Mapping[str, str]
    checks: tuple[str, ...]

    @property
    def score(self) -> int:
        """Return what is left of a hundred points."""
        return max(0, WHOLE - sum(one.points for one in self.weaknesses))

    @property
    def critical(self) -> bool:
        """Say whether strangers can do or read what they must not."""
        return any(one.critical for one in self.weaknesses)

    def of(self, check: str) -> tuple[Weakness, ...]:
        """Return what one check found."""
        return tuple(one for one in self.weaknesses if one.check == check)


def judge_headers(headers: Mapping[str, str], where: str) -> Iterator[Weakness]:
    """Yield what is missing from, or wrong with, an answer's protective headers."""
    for points, text in (*_transport(headers), *_content(headers), *_manners(headers)):
        yield Weakness(check="headers", text=f"{where} {text}", points=points)


def _transport(headers: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    transport = headers.get("strict-transport-security", "")
    age = _MAX_AGE.search(transport)
    if not transport:
        yield 20, "has no Strict-Transport-Security"
    elif age is None or int(age[1]) < HALF_A_YEAR:
        yield 10, "asks for HTTPS for less than half a year (Strict-Transport-Security)"


def _content(headers: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    policy = headers.get("content-security-policy", "")
    if not policy:
        yield 25, "has no Content-Security-Policy"
    scripts = _scripts(policy)
    hashed = any(word.startswith(("'nonce-", "'sha")) for word in scripts)
    if "'unsafe-inline'" in scripts and not hashed:
        yield 20, "lets inline scripts run (Content-Security-Policy: unsafe-inline)"
    if "'unsafe-eval'" in scripts:
        yield 10, "lets scripts be made of text (Content-Security-Policy: unsafe-eval)"
    framed = headers.get("x-frame-options", "").lower() in {"deny", "sameorigin"}
    if not framed and "frame-ancestors" not in policy:
        yield 20, "may be framed by any page (no X-Frame-Options, no frame-ancestors)"


def _manners(headers: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    if headers.get("x-content-type-options", "").lower() != "nosniff":
        yield 5, "has no X-Content-Type-Options: nosniff"
    referrer = headers.get("referrer-policy", "").lower()
    if not referrer or _UNSAFE_REFERRER & {word.strip() for word in referrer.split(",")}:
        yield 5, "tells other sites whole addresses (Referrer-Policy)"
    if not headers.get("permissions-policy"):
        yield 5, "has no Permissions-Policy"
    if headers.get("x-powered-by"):
        yield 5, f"names its software (X-Powered-By: {excerpt(headers['x-powered-by'], 30)})"


def judge_cors(
    headers: Mapping[str, str], origin: str, *, foreign: bool = True
) -> Iterator[Weakness]:
    """Yield what is wrong with the answer to a page of another `origin`."""

    def weak(points: int, text: str, *, critical: bool = False) -> Weakness:
        return Weakness(check="cors", text=text, points=points, critical=critical)

    allowed = headers.get("access-control-allow-origin", "")
    trusting = headers.get("access-control-allow-credentials", "").lower() == "true"
    if allowed == "*" and trusting:
        yield weak(10, "any origin with credentials: no browser takes that (`*` with credentials)")
    elif allowed and allowed == origin:
        if foreign and trusting:
            yield weak(50, f"the origin {origin} may act as the signed-in user", critical=True)
        elif foreign:
            yield weak(10, f"the origin {origin} may read answers")
        if "origin" not in headers.get("vary", "").lower() and "*" not in headers.get("vary", ""):
            yield weak(5, "answers depend on the origin and caches are not told (Vary: Origin)")


def judge_error(text: str, where: str) -> Iterator[Weakness]:
    """Yield what an error's body shows that is not for strangers."""
    secrets = sorted(leaks.secrets(text))
    if secrets:
        told = f"{where} shows {', '.join(secrets)}"
        yield Weakness(check="errors", text=told, points=50, critical=True)
    inside = sorted(leaks.inner_workings(text))
    if inside:
        yield Weakness(check="errors", text=f"{where} shows {', '.join(inside)}", points=20)


def judge_script(text: str, where: str) -> Iterator[Weakness]:
    """Yield the secrets that a script hands to every visitor."""
    secrets = sorted(leaks.secrets(text))
    if secrets:
        told = f"{where} holds {', '.join(secrets)}"
        yield Weakness(check="scripts", text=told, points=100, critical=True)


def judge_cookie(cookie: str, *, secure: bool) -> Iterator[Weakness]:
    """Yield what is missing from one Set-Cookie; `secure` where the page came over TLS."""
    name = excerpt(cookie.partition("=")[0], 40)
    marks = {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]}
    lacking = [word for word in ("Secure", "SameSite") if word.lower() not in marks]
    if lacking:
        text = f"the cookie {name} lacks {' and '.join(lacking)}"
        yield Weakness(check="cookies", text=text, points=20 if secure else 10)


def merged(weaknesses: Sequence[Weakness]) -> tuple[Weakness, ...]:
    """Return the weaknesses, the same one of several answers counted once; critical ones first."""
    once: dict[tuple[str, str], Weakness] = {}
    for one in weaknesses:
        what = one.text.partition(" ")[2] if one.check == "headers" else one.text
        once.setdefault((one.check, what), one)
    return tuple(sorted(once.values(), key=lambda one: (not one.critical, -one.points, one.text)))


def _scripts(policy: str) -> frozenset[str]:
    """Return the sources that a policy allows for scripts: script-src, else default-src."""
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *sources = part.split() or [""]
        directives.setdefault(name.lower(), [source.lower() for source in sources])
    return frozenset(directives.get("script-src", directives.get("default-src", [])))
