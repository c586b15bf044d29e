"""Pages on a terminal, and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from stewardmon.channels import KINDS
from stewardmon.channels.console import ConsoleChannel, ConsoleSettings
from stewardmon.errors import DeliveryError
from tests.support.notifications import ACK_URL, PAGE, context


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def printed(stream: io.StringIO) -> str:
    await ConsoleChannel(stream, context()).send(PAGE, to="dev-a")
    return stream.getvalue()


async def test_a_page_is_framed_and_whole() -> None:
    words = await printed(io.StringIO())
    assert words.startswith("┌ CRITICAL: High Error Rate\n│ To: dev-a\n")
    assert words.endswith("└\n")
    assert ACK_URL in words


async def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in await printed(io.StringIO())
    assert "\x1b[31mCRITICAL" in await printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in await printed(Terminal())


async def test_a_stream_for_few_characters_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    await ConsoleChannel(stream, context()).send(replace(PAGE, title="Größe"), to="dev-a")
    assert b"CRITICAL: Gr??e" in raw.getvalue()


async def test_a_stream_that_is_gone_is_permanent() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(DeliveryError) as caught:
        await ConsoleChannel(stream, context()).send(PAGE, to="dev-a")
    assert not caught.value.temporary


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_the_configured_stream_is_used(
    stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ConsoleSettings.model_validate({"stream": stream})
    await KINDS["console"].make(settings, context()).send(PAGE, to="dev-a")
    assert "CRITICAL" in getattr(capsys.readouterr(), stream[3:])
