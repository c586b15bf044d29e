"""Every form that one notification takes: subject, text, HTML, short message, spoken words.

Nothing here is escaped by hand but what has no template: HTML goes through Jinja's autoescape,
all text through `view`, which has cleaned and bounded it.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from stewardmon.channels.plain import plain
from stewardmon.channels.text import clean, fits_gsm, gsm, line, septets, shorten_gsm
from stewardmon.channels.view import View, view
from stewardmon.domain.notification import Notification

if TYPE_CHECKING:
    from jinja2 import Environment

SMS_LENGTH: Final = 160
# A link is worth more than the end of a sentence, but not more than knowing what broke.
_SMS_WORDS_AT_LEAST: Final = 36
_SPOKEN: Final = (
    (">=", " at least "),
    ("<=", " at most "),
    ("!=", " other than "),
    ("==", " equal to "),
    (">", " above "),
    ("<", " below "),
    ("%", " percent "),
    ("_", " "),
    ("(", ", "),
    (")", " "),
    ("..", "."),
)


def subject(notification: Notification, *, now: datetime) -> str:
    """Return the headline on one line, at most 200 characters."""
    return line(view(notification, now=now).headline, 200)


def text(notification: Notification, *, now: datetime) -> str:
    """Return the whole message as plain text."""
    return plain(view(notification, now=now))


def html(notification: Notification, *, now: datetime, chart: str = "") -> str:
    """Return the whole message as an HTML page; `chart` is the content id of an image in it."""
    return _render("message.html.j2", view(notification, now=now), chart=chart)


def voice(notification: Notification, *, now: datetime) -> str:
    """Return what a voice reads out: sentences, without signs that it would spell."""
    spoken = _render("message.voice.j2", view(notification, now=now))
    for sign, words in _SPOKEN:
        spoken = spoken.replace(sign, words)
    return line(spoken, 900)


def sms(notification: Notification, *, now: datetime) -> str:
    """Return at most 160 places of GSM text: severity, what, since, and a link if it fits."""
    shown = view(notification, now=now)
    words = gsm(_sms_words(shown))
    for url in (shown.ack_url, shown.incident_url):
        room = SMS_LENGTH - septets(url) - 1
        if url and fits_gsm(url) and room >= min(_SMS_WORDS_AT_LEAST, septets(words)):
            return f"{shorten_gsm(words, room)} {url}"
    return shorten_gsm(words, SMS_LENGTH)


def _sms_words(shown: View) -> str:
    if shown.event in ("resolved", "acknowledged"):
        return shown.headline
    # Since when comes before the value: the end is what is cut to make room for a link.
    what = f": {shown.what}" if shown.what else ""
    return f"{shown.headline}, since {shown.since_short}{what}"


def _render(template: str, shown: View, **more: str) -> str:
    return _templates().get_template(template).render(m=shown, **more).strip() + "\n"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    # Imported at the first use: `check` and `--help` read settings only.
    from jinja2 import PackageLoader, StrictUndefined  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("stewardmon.channels", "templates"),
        autoescape=lambda name: name is not None and ".html." in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["paragraph"] = lambda value: clean(value, 2000)
    return environment
