"""One rig for every channel kind: the channel, a real receiver on loopback, its ways to fail."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from stewardmon.channels import KINDS
from stewardmon.channels.console import ConsoleChannel
from stewardmon.ports import Channel
from stewardmon.settings import Settings
from tests.support.http_receiver import (
    Behaviour,
    HttpReceiver,
    Received,
    answers,
    closes,
    floods,
    hangs,
    says,
)
from tests.support.mail_receiver import MailReceiver
from tests.support.notifications import context

# Every secret of every rig contains this word, so that a leak is found by looking for it.
SECRET: Final = "hunter2"
TIMEOUT: Final = "500ms"


class Fault(StrEnum):
    """What can be wrong with a receiver."""

    FAILS = "answers that it is broken for now"
    BUSY = "asks to come back in 7 seconds"
    REFUSES = "refuses the message for good, repeating all that it was sent"
    HANGS = "never answers"
    CLOSES = "closes in the middle of its answer"
    REDIRECTS = "redirects to another host"
    FLOODS = "answers with 100 MB"


@dataclass(frozen=True)
class Rig:
    """A channel and its receiver; `inbox` returns what arrived, one readable text a message.

    `break_it(None)` mends the receiver.
    """

    channel: Channel
    settings: Settings
    to: str
    inbox: Callable[[], list[str]]
    break_it: Callable[[Fault | None], None]
    flooded: Callable[[], int] = lambda: 0


type_of_rig = Callable[[Path], AbstractAsyncContextManager[Rig]]


def build(kind: str, keys: Mapping[str, Any]) -> tuple[Channel, Settings]:
    """Return a channel made as the daemon makes it, from the keys that a file would hold."""
    settings = KINDS[kind].settings.model_validate({"timeout": TIMEOUT, **keys})
    return KINDS[kind].make(settings, context()), settings


def _http(
    kind: str,
    keys: Callable[[str], Mapping[str, Any]],
    *,
    to: str,
    accepts: bytes = b"{}",
    read: Callable[[Received], str] = lambda received: _words(json.loads(received.body)),
) -> type_of_rig:
    @asynccontextmanager
    async def rig(_: Path) -> AsyncIterator[Rig]:
        async with HttpReceiver() as receiver, HttpReceiver() as elsewhere:
            receiver.behaviour = answers(200, accepts)
            channel, settings = build(kind, keys(receiver.url))
            try:
                yield Rig(
                    channel=channel,
                    settings=settings,
                    to=to,
                    inbox=lambda: [read(one) for one in receiver.received],
                    break_it=lambda fault: _break(receiver, elsewhere, fault, accepts),
                    flooded=lambda: receiver.flooded,
                )
            finally:
                await channel.close()
            assert not elsewhere.received, "a redirect was followed"

    return rig


def _break(
    receiver: HttpReceiver, elsewhere: HttpReceiver, fault: Fault | None, accepts: bytes
) -> None:
    location = f"{elsewhere.url}/{SECRET}"
    behaviours: dict[Fault | None, Behaviour] = {
        None: answers(200, accepts),
        Fault.FAILS: answers(500, b"oops"),
        Fault.BUSY: answers(429, b"{}", Retry_After="7"),
        Fault.REFUSES: says(400, _echo),
        Fault.HANGS: hangs,
        Fault.CLOSES: closes,
        Fault.REDIRECTS: answers(307, b"", Location=location),
        Fault.FLOODS: floods,
    }
    receiver.behaviour = behaviours[fault]


def _echo(received: Received) -> bytes:
    """Repeat the request in every field in which some vendor explains a refusal."""
    said = f"{received.line} {received.headers} {received.body.decode()}"
    fields = ("error", "message", "description")
    return json.dumps({**dict.fromkeys(fields, said), "errors": [said]}).encode()


def _words(value: Any) -> str:
    """Return all strings in JSON, one a line."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        return "\n".join(_words(one) for one in value)
    return str(value)


def _form(received: Received) -> str:
    return "\n".join(value for one in parse_qs(received.body.decode()).values() for value in one)


@asynccontextmanager
async def _email(_: Path) -> AsyncIterator[Rig]:
    async with (
        MailReceiver(authenticator=_anybody, auth_require_tls=False) as server,
        HttpReceiver() as rude,
    ):
        rude.behaviour = closes
        keys = {"url": f"smtp://u:{SECRET}@127.0.0.1:{server.port}", "from": "s@localhost"}
        channel, settings = build("email", keys)

        def break_it(fault: Fault | None) -> None:
            server.data_answer = "451 try again later" if fault is Fault.FAILS else ""
            refusal = f"550 no such user, u {SECRET}"
            server.recipient_answer = refusal if fault is Fault.REFUSES else ""
            server.hangs = fault is Fault.HANGS

        yield Rig(
            channel=channel,
            settings=settings,
            to="dev-a@localhost",
            inbox=lambda: [_mail(one) for one in server.inbox],
            break_it=break_it,
        )
        await channel.close()


def _anybody(*_: object) -> Any:
    from aiosmtpd.smtp import AuthResult

    return AuthResult(success=True)


def _mail(message: Any) -> str:
    return f"{message['subject']}\n{message.get_body(('plain',)).get_content()}"


@asynccontextmanager
async def _console(_: Path) -> AsyncIterator[Rig]:
    stream = io.StringIO()
    yield Rig(
        channel=ConsoleChannel(stream, context()),
        settings=KINDS["console"].settings(),
        to="dev-a",
        inbox=lambda: stream.getvalue().split("└\n")[:-1],
        break_it=lambda _: stream.close(),
    )


_PROGRAM = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
fault = (folder / "fault").read_text()
if fault == "FLOODS":
    sys.stdout.write("x" * 100_000_000)
if fault == "HANGS":
    os.read(os.pipe()[0], 1)
text = sys.stdin.read()
if fault == "REFUSES":
    print("no:", os.environ["TOKEN"])
number = len(list(folder.glob("*.json")))
(folder / f"{number}.json").write_text(text)
sys.exit({"FAILS": 75, "REFUSES": 1}.get(fault, 0))
"""


@asynccontextmanager
async def _command(folder: Path) -> AsyncIterator[Rig]:
    program = folder / "program.py"
    program.write_text(_PROGRAM)
    (folder / "fault").write_text("")
    keys = {
        "command": [sys.executable, "-S", str(program), str(folder)],
        "environment": {"TOKEN": f"{SECRET}-token"},
        "timeout": "10s",
    }
    channel, settings = build("command", keys)
    quick, _ = build("command", {**keys, "timeout": TIMEOUT})
    hanging = False

    class Either:
        """Only the hanging program is worth a short timeout: starting Python takes a while."""

        async def send(self, notification: Any, *, to: str) -> Any:
            return await (quick if hanging else channel).send(notification, to=to)

        async def close(self) -> None:
            await channel.close()

    def break_it(fault: Fault | None) -> None:
        nonlocal hanging
        hanging = fault is Fault.HANGS
        (folder / "fault").write_text(fault.name if fault else "")

    yield Rig(
        channel=Either(),
        settings=settings,
        to="dev-a",
        inbox=lambda: [
            _words(json.loads(one.read_text())) for one in sorted(folder.glob("*.json"))
        ],
        break_it=break_it,
    )


def _apprise(url: str) -> Mapping[str, Any]:
    address = url.removeprefix("http://")
    return {"url": f"json://u:{SECRET}-pass@{address}/{SECRET}-path/{{to}}", "timeout": "5s"}


_EVERY_HTTP: Final = frozenset(Fault)
_VENDOR: Final = f"{SECRET}-token"

RIGS: Final[Mapping[str, type_of_rig]] = {
    "webhook": _http(
        "webhook",
        lambda url: {
            "url": f"{url.replace('//', f'//user:{SECRET}-pass@')}/{SECRET}-path?k={SECRET}-query",
            "secret": f"{SECRET}-signing",
            "headers": {"X-Token": f"{SECRET}-header"},
        },
        to="dev-a",
    ),
    "email": _email,
    "slack": _http(
        "slack",
        lambda url: {"url": f"{url}/services/T0000000/B0000000/{SECRET}"},
        to="#ops",
        accepts=b"ok",
    ),
    "slack bot": _http(
        "slack",
        lambda url: {"token": f"xoxb-{SECRET}", "api": f"{url}/api"},
        to="#ops",
        accepts=b'{"ok": true, "ts": "17.4"}',
    ),
    "console": _console,
    "pagerduty": _http(
        "pagerduty",
        lambda url: {"key": _VENDOR, "api": url},
        to="dev-a",
        accepts=b'{"status": "success", "message": "Event processed"}',
    ),
    "sms": _http(
        "sms",
        lambda url: {"account": "AC1", "token": _VENDOR, "from": "+15005550006", "api": url},
        to="+491701234567",
        accepts=b'{"sid": "SM1", "status": "queued"}',
        read=_form,
    ),
    "voice": _http(
        "voice",
        lambda url: {"account": "AC1", "token": _VENDOR, "from": "+15005550006", "api": url},
        to="+491701234567",
        accepts=b'{"sid": "CA1", "status": "queued"}',
        read=_form,
    ),
    "telegram": _http(
        "telegram",
        lambda url: {"token": f"1234:{_VENDOR}", "api": url},
        to="-100123",
        accepts=b'{"ok": true, "result": {"message_id": 5}}',
    ),
    "ntfy": _http(
        "ntfy",
        lambda url: {"url": url, "token": _VENDOR},
        to="on-call",
        accepts=b'{"id": "abc"}',
    ),
    "command": _command,
    "apprise": _http("apprise", _apprise, to="dev-a"),
    "alertmanager": _http(
        "alertmanager",
        lambda url: {"url": f"{url.replace('//', f'//user:{SECRET}-pass@')}/{SECRET}-path"},
        to="dev-a",
        accepts=b"",
    ),
}

# What a kind cannot show: a mail server has no Retry-After, a terminal does not redirect.
FAULTS: Final[Mapping[str, frozenset[Fault]]] = {
    "email": frozenset({Fault.FAILS, Fault.REFUSES, Fault.HANGS}),
    "console": frozenset({Fault.REFUSES}),
    "command": frozenset({Fault.FAILS, Fault.REFUSES, Fault.HANGS, Fault.FLOODS}),
    # Apprise says only that it failed: all of it counts as temporary. (Its HTTP client takes half
    # of the headers for an answer.)
    "apprise": frozenset({Fault.FAILS, Fault.BUSY}),
}


def faults(kind: str) -> frozenset[Fault]:
    """Return the faults that the kind's receiver can have."""
    return FAULTS.get(kind, _EVERY_HTTP)


assert os.name == "posix"
