"""Who is who on the simulated platform: users, their sessions, and the vendor's keys.

Tokens are JWTs with HS256 (RFC 7519, RFC 7515), as Supabase's auth signs them. Nothing here
protects anything; it has to look and expire like the real thing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

# Supabase's clients split a cookie where its value grows past this many characters.
COOKIE_CHUNK: Final = 3180
SESSION_LIFETIME: Final = timedelta(hours=1)
_COOKIE: Final = re.compile(r"sb-[^.=]+-auth-token(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who can sign in."""

    id: str
    email: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """All secrets of one platform, drawn anew for each: none can leak into a repository."""

    jwt_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    openai_key: str = field(default_factory=lambda: "sk-proj-" + secrets.token_hex(24), repr=False)
    openai_admin_key: str = field(
        default_factory=lambda: "sk-admin-" + secrets.token_hex(24), repr=False
    )
    supabase_access_token: str = field(
        default_factory=lambda: "sbp_" + secrets.token_hex(20), repr=False
    )
    database_password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    users: tuple[User, ...] = field(default_factory=lambda: (_user("synthetic"), _user("other")))

    @property
    def anon_key(self) -> str:
        """Return the key that every visitor's browser holds."""
        return self._role_key("anon")

    @property
    def service_role_key(self) -> str:
        """Return the key that goes past row level security and must never leave a server."""
        return self._role_key("service_role")

    def session(self, user: User, *, now: datetime) -> dict[str, Any]:
        """Return what Supabase's password grant answers."""
        expires = now + SESSION_LIFETIME
        claims = {
            "sub": user.id,
            "email": user.email,
            "role": "authenticated",
            "aud": "authenticated",
            "iat": int(now.timestamp()),
            "exp": int(expires.timestamp()),
        }
        return {
            "access_token": self._sign(claims),
            "token_type": "bearer",
            "expires_in": int(SESSION_LIFETIME.total_seconds()),
            "expires_at": int(expires.timestamp()),
            "refresh_token": self._sign({"sub": user.id, "use": "refresh"}),
            "user": {
                "id": user.id,
                "aud": "authenticated",
                "role": "authenticated",
                "email": user.email,
            },
        }

    def user_of_cookies(self, cookies: Mapping[str, str], *, now: datetime) -> User | None:
        """Return whose unexpired session the app's cookies carry, if anyone's."""
        session = _session_of(cookies)
        token = session.get("access_token") if isinstance(session, dict) else None
        return self.user_of_token(token, now=now) if isinstance(token, str) else None

    def user_of_token(self, token: str, *, now: datetime) -> User | None:
        """Return whose token this is, if its signature is ours and it has not expired."""
        claims = self.claims(token)
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= now.timestamp():
            return None
        return self.user_with("id", claims.get("sub"))

    def user_with(self, attribute: str, value: object) -> User | None:
        """Return the user whose attribute has that value."""
        return next((user for user in self.users if getattr(user, attribute) == value), None)

    def claims(self, token: str) -> dict[str, Any]:
        """Return a token's claims; none where it was not signed here."""
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return {}
        claims = _json(head.partition(".")[2])
        return claims if isinstance(claims, dict) else {}

    def _role_key(self, role: str) -> str:
        # 2020 to 2040: Supabase's project keys live for decades.
        issued, expires = 1577836800, 2208988800
        claims = {"iss": "supabase", "ref": "simulated", "role": role}
        return self._sign({**claims, "iat": issued, "exp": expires})

    def _sign(self, claims: Mapping[str, Any]) -> str:
        head = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{head}.{self._signature(head)}"

    def _signature(self, head: str) -> str:
        return _base64url(hmac.digest(self.jwt_secret, head.encode(), hashlib.sha256))


def cookies_of(session: Mapping[str, Any], *, name: str = "sb-127-auth-token") -> dict[str, str]:
    """Return the cookies that Supabase's clients store a session in, split where it is long."""
    value = "base64-" + _encoded(session)
    if len(value) <= COOKIE_CHUNK:
        return {name: value}
    parts = range(0, len(value), COOKIE_CHUNK)
    return {f"{name}.{n}": value[at : at + COOKIE_CHUNK] for n, at in enumerate(parts)}


def _session_of(cookies: Mapping[str, str]) -> object:
    parts = sorted(
        (int(match[1] or 0), value)
        for name, value in cookies.items()
        if (match := _COOKIE.fullmatch(name))
    )
    return _json("".join(value for _, value in parts).removeprefix("base64-"))


def _json(encoded: str) -> object:
    try:
        return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _user(name: str) -> User:
    email = f"{name}@steward.example"
    ident = str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{email}"))
    return User(id=ident, email=email, password=secrets.token_urlsafe(12))
