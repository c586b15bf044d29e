"""What of a foreign text may be shown: cut short, cleaned, and with nothing secret left in it."""

from __future__ import annotations

import re
from typing import Final

SHOWN: Final = 120  # characters of a target's own words in one of our sentences
_READ: Final = 4096  # a secret must be seen whole to be recognised: redact first, cut then
_HIDDEN: Final = "…"

# Each pattern keeps its first group and hides the rest. All run in linear time.
_SECRETS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # PEM blocks, whole or cut off.
        r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[A-Za-z0-9+/=\s\\n-]*",
        # JSON web tokens: Supabase's keys and sessions are such.
        r"\b(eyJ)[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}",
        # Keys that carry their vendor's prefix.
        r"\b(sk-|rk-|pk_live_|sk_live_|rk_live_|sbp_|sb_secret_|whsec_|npm_|gh[oprsu]_"
        r"|github_pat_|xox[abeprs]-|glpat-|AKIA|ASIA|AIza|SG\.|re_)[A-Za-z0-9_.*-]{6,}",
        # Slack's and Discord's webhook addresses are secrets themselves.
        r"(https://(?:hooks\.slack\.com/[a-z]{1,20}|discord(?:app)?\.com/api/webhooks)/)[\w/-]+",
        # user:password@ of any URL; a Sentry DSN's key stands there too.
        r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@\"'<>]{1,300}(?=@)",
        # Authorization and Cookie headers.
        r"((?i:\b(?:bearer|basic))\s+)[A-Za-z0-9._~+/=-]{6,}",
        r"((?i:\b(?:set-)?cookie)\s*:\s*)[^\r\n]+",
        # name = value, "name": "value", ?name=value where the name says that it is secret.
        r"((?i:[\w-]{0,40}(?:passwor[dt]|passwd|pwd|secret|token|api[_-]?key|apikey"
        r"|access[_-]?key|private[_-]?key|service[_-]?role[_-]?key|anon[_-]?key|signature))"
        r"[\"']?\s*[=:]\s*[\"']?)(?![\"'\s,;&}])[^\s\"'&,;}<>]+",
    )
)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def redact(text: str) -> str:
    """Return the text with everything that looks like a secret replaced by an ellipsis."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text


def clean(text: str) -> str:
    """Return the text on one line: runs of spaces, controls and direction marks become a space."""
    return _CONTROL.sub(" ", text).strip()


def excerpt(text: str, limit: int = SHOWN) -> str:
    """Return a target's own words as they may stand in a sentence of ours.

    Redacted, on one line, and at most `limit` characters; what was cut shows as an ellipsis.
    """
    shown = clean(redact(text[:_READ]))
    if len(shown) <= limit and len(text) <= _READ:
        return shown
    return shown[: limit - 1].rstrip() + "…"
