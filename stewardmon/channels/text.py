"""Making foreign text safe to show: no control characters, bounded, one line where one is meant."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

# Control characters but tab and newline; lone surrogates and non-characters, which no encoder
# takes; everything invisible that turns or hides text (bidirectional marks, overrides and
# isolates, zero-width signs, tags): Unicode TR 36, "Bidirectional Text Spoofing".
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc\ufffe\uffff\U000e0000-\U000e007f]"
)
_BREAKS: Final = re.compile("\r\n?|[\u0085\u2028\u2029]")

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and what costs two places in it.
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE: Final = frozenset("^{}\\[~]|€")
_SPELLED: Final = str.maketrans(
    {"–": "-", "—": "-", "\u2018": "'", "’": "'", "“": '"', "”": '"', "…": "...", "→": "->",
     "≥": ">=", "≤": "<=", "≠": "!=", "×": "x", "µ": "u", "\u00a0": " ", "\u202f": " "}
)  # fmt: skip


def clean(text: str, limit: int) -> str:
    """Return the text without what could deceive or break a screen, at most `limit` characters."""
    # Cut before cleaning: nobody waits for a megabyte to be cleaned of which a page shows a line.
    rough = _BREAKS.sub("\n", text[: 4 * limit]).replace("\t", " ")
    return shorten(_UNSAFE.sub("", rough).strip(), limit)


def line(text: str, limit: int) -> str:
    """Return the text cleaned and on one line."""
    return shorten(" ".join(clean(text, 4 * limit).split()), limit)


def shorten(text: str, limit: int) -> str:
    """Return the text, or as much of it as fits in `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def encodable(text: str) -> str:
    """Return the text with lone surrogates replaced, so that UTF-8 can carry it."""
    return text.encode("utf-8", "replace").decode()


def safe_url(url: str) -> str:
    """Return the URL when it is one that a person may be offered to open, else nothing."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    if not usable or len(url) > 2000 or clean(url, 2000) != url or " " in url or "\n" in url:
        return ""
    return url


def gsm(text: str) -> str:
    """Return the text in the alphabet of short messages: accents are dropped, the rest is `?`."""
    return "".join(_gsm_character(character) for character in text.translate(_SPELLED))


def septets(text: str) -> int:
    """Return how many of a short message's 160 places the text takes."""
    return sum(2 if character in _GSM_TWICE else 1 for character in text)


def fits_gsm(text: str) -> bool:
    """Say whether every character is in the alphabet of short messages."""
    return all(character in _GSM or character in _GSM_TWICE for character in text)


def shorten_gsm(text: str, limit: int) -> str:
    """Return as much of the text as takes at most `limit` places, marked with `..` when cut."""
    if septets(text) <= limit:
        return text
    kept: list[str] = []
    used = 2
    for character in text:
        used += 2 if character in _GSM_TWICE else 1
        if used > limit:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ".."


def _gsm_character(character: str) -> str:
    if character in _GSM or character in _GSM_TWICE:
        return character
    bare = unicodedata.normalize("NFKD", character)[0]
    return bare if bare in _GSM else "?"
