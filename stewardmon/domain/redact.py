"""What of a foreign text may be shown: cut short, cleaned, and with nothing secret left in it."""

from __future__ import annotations

import re
from typing import Final

SHOWN: Final = 120  # characters of a target's own words in one of our sentences
_READ: Final = 4096  # a secret must be seen whole to be recognised: redact first, cut then
_HIDDEN: Final = "…"

# Each pattern keeps its first group and hides the rest. All run in linear time, and only on texts
# that hold one of its words, casefolded: most texts hold none, and looking costs a hundredth.
_SECRETS: Final = tuple(
    (words.split(), re.compile(pattern))
    for words, pattern in (
        # PEM blocks, whole or cut off.
        ("-----begin", r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[A-Za-z0-9+/=\s\\n-]*"),
        # JSON web tokens: Supabase's keys and sessions are such.
        ("eyj", r"\b(eyJ)[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}"),
        # Keys that carry their vendor's prefix.
        (
            "sk- rk- k_live_ sbp_ sb_secret_ whsec_ npm_ gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ xox "
            "glpat- akia asia aiza sg. re_",
            r"\b(sk-|rk-|pk_live_|sk_live_|rk_live_|sbp_|sb_secret_|whsec_|npm_|gh[oprsu]_"
            r"|github_pat_|xox[abeprs]-|glpat-|AKIA|ASIA|AIza|SG\.|re_)[A-Za-z0-9_.*-]{6,}",
        ),
        # Slack's and Discord's webhook addresses are secrets themselves.
        (
            "hooks.slack.com /api/webhooks",
            r"(https://(?:hooks\.slack\.com/[a-z]{1,20}|discord(?:app)?\.com/api/webhooks)/)[\w/-]+",
        ),
        # user:password@ of any URL; a Sentry DSN's key stands there too.
        ("@", r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@\"'<>]{1,300}(?=@)"),
        # Authorization and Cookie headers.
        ("bearer basic", r"((?i:\b(?:bearer|basic))\s+)[A-Za-z0-9._~+/=-]{6,}"),
        ("cookie", r"((?i:\b(?:set-)?cookie)\s*:\s*)[^\r\n]+"),
        # name = value, "name": "value", ?name=value where the name says that it is secret.
        (
            "passwor passwd pwd secret token key signature",
            r"((?i:[\w-]{0,40}(?:passwor[dt]|passwd|pwd|secret|token|api[_-]?key|apikey"
            r"|access[_-]?key|private[_-]?key|service[_-]?role[_-]?key|anon[_-]?key|signature))"
            r"[\"']?\s*[=:]\s*[\"']?)(?![\"'\s,;&}])[^\s\"'&,;}<>]+",
        ),
    )
)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def redact(text: str) -> str:
    """Return the text with everything that looks like a secret replaced by an ellipsis."""
    folded = text.casefold()
    for words, pattern in _SECRETS:
        if any(word in folded for word in words):
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
