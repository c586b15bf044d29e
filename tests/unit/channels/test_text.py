"""Foreign text made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.channels.text import (
    clean,
    fits_gsm,
    gsm,
    line,
    safe_url,
    septets,
    shorten_gsm,
)

ANY_TEXT = st.text(st.characters(), max_size=400)  # surrogates too


@given(ANY_TEXT, st.integers(1, 200))
def test_cleaned_text_is_bounded_and_any_encoder_takes_it(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    cleaned.encode()
    assert not any(ord(character) < 0x20 and character != "\n" for character in cleaned)


@given(ANY_TEXT)
def test_a_line_is_one_line(text: str) -> None:
    assert line(text, 100).splitlines() in ([], [line(text, 100)])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("zero\u200bwidth", "zerowidth"),
        ("\ud800", ""),
        ("tab\there", "tab here"),
    ],
)
def test_what_deceives_is_dropped(text: str, cleaned: str) -> None:
    assert clean(text, 100) == cleaned


@given(ANY_TEXT, st.integers(2, 160))
def test_a_short_message_fits_its_places_and_its_alphabet(text: str, room: int) -> None:
    words = shorten_gsm(gsm(text), room)
    assert septets(words) <= room
    assert fits_gsm(words)


def test_signs_outside_the_alphabet_are_spelled_or_stripped() -> None:
    assert gsm("Ōsaka – “5 €” ≥ 3… 🔥") == 'Osaka - "5 €" >= 3... ?'
    assert septets("€") == 2


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//host/path",
        "/path",
        "https://",
        "https://host/a b",
        "https://host/\nx",
        "https://[::1",
        "https://host/" + "a" * 3000,
        "",
    ],
)
def test_a_link_that_is_not_plain_http_is_not_offered(url: str) -> None:
    assert safe_url(url) == ""


def test_a_plain_link_is_offered_as_it_is() -> None:
    assert safe_url("http://127.0.0.1:9797/ack/x?y=1") == "http://127.0.0.1:9797/ack/x?y=1"
