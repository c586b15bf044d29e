"""What must never be shown to strangers, seen in their answers: keys, sessions, inner workings.

Stricter than domain.redact, which would rather hide a word too many: here a find raises an alarm.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final


class Leak(StrEnum):
    """What was found, in words for people."""

    AI_KEY = "a key of the AI provider"
    SERVICE_ROLE = "Supabase's service-role key"
    SESSION = "a signed token (JWT)"
    VENDOR_KEY = "a vendor's secret key"
    CONNECTION = "a connection string with its password"
    PRIVATE_KEY = "a private key"
    EMAIL = "a mail address"
    STACK = "a stack trace"
    INNER_PATH = "a path inside the server"
    ORM = "Prisma's own words"


_JWT: Final = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,2000}\.(eyJ[A-Za-z0-9_-]{8,4000})\.[A-Za-z0-9_-]{10,}"
)
_SECRETS: Final = (
    (Leak.AI_KEY, re.compile(r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}")),
    (
        Leak.VENDOR_KEY,
        re.compile(
            r"\b(?:sk_live_|rk_live_|whsec_|sbp_|sb_secret_|ghp_|github_pat_|glpat-|xox[bp]-)"
            r"[A-Za-z0-9_-]{16,}|\bAKIA[A-Z0-9]{16}\b|\bSG\.[\w-]{16,}\.[\w-]{16,}"
        ),
    ),
    (
        Leak.CONNECTION,
        re.compile(
            r"\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?)://[^\s:/@\"']+:[^\s@\"']+@"
        ),
    ),
    (Leak.PRIVATE_KEY, re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
)
_EMAIL: Final = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,12}\b")
_INNER: Final = (
    (
        Leak.STACK,
        re.compile(
            r"\bat [\w$.<> \[\]]{1,80}\(?[^\s()]{1,200}:\d+:\d+\)?"
            r"|Traceback \(most recent call last\)"
        ),
    ),
    (Leak.INNER_PATH, re.compile(r"/var/task/|/node_modules/|\.next/server/")),
    (Leak.ORM, re.compile(r"PrismaClient\w*|Invalid `prisma\.")),
)


def secrets(text: str) -> Counter[Leak]:
    """Count the keys, tokens and passwords in a text; a key that browsers may hold is none."""
    found = Counter(_tokens(text))
    for leak, pattern in _SECRETS:
        count = sum(1 for _ in pattern.finditer(text))
        if count:
            found[leak] += count
    return found


def inner_workings(text: str) -> Counter[Leak]:
    """Count what an error shows of the server's inside."""
    counts = {leak: sum(1 for _ in pattern.finditer(text)) for leak, pattern in _INNER}
    return Counter({leak: count for leak, count in counts.items() if count})


def mail_addresses(text: str) -> int:
    """Count the mail addresses in a text."""
    return sum(1 for _ in _EMAIL.finditer(text))


def _tokens(text: str) -> Iterator[Leak]:
    for match in _JWT.finditer(text):
        role = _claims(match[1]).get("role")
        if role == "service_role":
            yield Leak.SERVICE_ROLE
        elif role != "anon":
            yield Leak.SESSION


def _claims(payload: str) -> dict[str, Any]:
    try:
        read = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def role_of(token: str) -> str:
    """Return the role that a Supabase key is for: anon, service_role, or empty for neither."""
    if token.startswith("sb_publishable_"):
        return "anon"
    if token.startswith("sb_secret_"):
        return "service_role"
    matched = _JWT.fullmatch(token)
    role = _claims(matched[1]).get("role") if matched else ""
    return role if isinstance(role, str) else ""
