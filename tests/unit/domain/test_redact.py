"""What of a foreign text may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.redact import SHOWN, clean, excerpt, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.abc-DEF_123"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk-proj-abcDEF123_456-789 was refused", "key sk-… was refused"),
        ("Incorrect API key provided: sk-abcd*****wxyz.", "Incorrect API key provided: sk-…"),
        (f"apikey {JWT} expired", "apikey eyJ… expired"),
        (
            "cannot reach postgres://app:hunter2@db.example:5432/x",
            "cannot reach postgres://…@db.example:5432/x",
        ),
        ("at postgresql://user@db/x", "at postgresql://…@db/x"),
        ("dsn https://0123abcd@o1.ingest.sentry.io/2", "dsn https://…@o1.ingest.sentry.io/2"),
        ("Authorization: Bearer abc.DEF-123", "Authorization: Bearer …"),
        ("basic dXNlcjpwYXNz sent", "basic … sent"),
        ("Cookie: sb-x-auth-token=base64-abc; a=b", "Cookie: …"),
        ('{"password": "hunter2", "user": "x"}', '{"password": "…", "user": "x"}'),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=… psql"),
        ("?apikey=abc123&x=1", "?apikey=…&x=1"),
        ("SUPABASE_SERVICE_ROLE_KEY=abc", "SUPABASE_SERVICE_ROLE_KEY=…"),
        ("sbp_0123456789abcdef", "sbp_…"),
        ("ghp_0123456789abcdef", "ghp_…"),
        ("xoxb-123456-abcdef", "xoxb-…"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA…"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/services/…"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n", "-----BEGIN RSA PRIVATE KEY-----…"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "status is unhealthy, expected one of healthy",
        "password authentication failed for user app",
        "max_tokens: 16 is too small",
        "https://status.openai.com/api/v2/summary.json",
        "mail ops@example.com",
        "the task-list and the risk-free desk",
        "12:30:45 at 2026-11-23T12:00:00Z",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_controls_and_tricks_of_direction_become_spaces() -> None:
    assert clean("a\x00\x1b[31mb\r\n\tc\u202ed\u200be\ufeff ") == "a [31mb c d e"


def test_an_excerpt_is_cut_after_it_was_redacted() -> None:
    text = "x" * (SHOWN - 4) + " sk-proj-" + "a" * 50
    assert excerpt(text) == "x" * (SHOWN - 4) + " sk…"
    assert len(excerpt("y" * 500)) == SHOWN
    assert excerpt("short") == "short"
    assert excerpt("z" * 100_000, 10) == "zzzzzzzzz…"


@given(st.text(max_size=300), st.text("abcdef0123456789", min_size=12, max_size=60))
def test_a_key_never_survives_wherever_it_stands(around: str, key: str) -> None:
    text = f"{around} sk-{key} {around}"
    assert f"sk-{key}" not in excerpt(text, 10_000)


@given(st.text(max_size=1000))
def test_any_text_makes_one_short_line(text: str) -> None:
    shown = excerpt(text)
    assert len(shown) <= SHOWN
    assert shown == clean(shown)
