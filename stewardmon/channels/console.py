"""Channel `console`: prints each message as a person would read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TextIO

from stewardmon.channels import render
from stewardmon.channels.settings import ChannelSettings
from stewardmon.channels.text import encodable
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, Kind

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_COLOURS: Final[Mapping[NotificationEvent, str]] = {
    NotificationEvent.PAGE: "\x1b[31m",
    NotificationEvent.REMINDER: "\x1b[31m",
    NotificationEvent.ESCALATED: "\x1b[35m",
    NotificationEvent.ACKNOWLEDGED: "\x1b[36m",
    NotificationEvent.RESOLVED: "\x1b[32m",
    NotificationEvent.DRILL: "\x1b[34m",
    NotificationEvent.REPORT: "\x1b[34m",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings(ChannelSettings):
    """Which of the process' streams to print to."""

    stream: Literal["stdout", "stderr"] = "stdout"


class ConsoleChannel:
    """Prints to a text stream; coloured only where that is a terminal."""

    def __init__(self, stream: TextIO, context: Context) -> None:
        self._stream = stream
        self._clock = context.clock

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Print the message, or raise DeliveryError where the stream is gone."""
        words = render.text(notification, now=self._clock.now())
        try:
            self._stream.write(self._framed(words, notification, to))
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryError(
                f"the console cannot be written to ({type(error).__name__})", temporary=False
            ) from None
        return Receipt(text="printed")

    async def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def _framed(self, words: str, notification: Notification, to: str) -> str:
        headline, _, rest = words.partition("\n")
        if self._stream.isatty() and not os.environ.get("NO_COLOR"):
            headline = f"{_BOLD}{_COLOURS[notification.event]}{headline}{_PLAIN}"
        indented = "".join(f"│ {one}".rstrip() + "\n" for one in rest.splitlines())
        framed = f"┌ {headline}\n│ To: {encodable(to)}\n{indented}└\n"
        encoding = self._stream.encoding or "utf-8"
        return framed.encode(encoding, "replace").decode(encoding)


def make(settings: ConsoleSettings, context: Context) -> ConsoleChannel:
    """Return the channel that prints to the configured stream."""
    return ConsoleChannel(sys.stderr if settings.stream == "stderr" else sys.stdout, context)


KIND: Final = Kind(settings=ConsoleSettings, make=make)
