"""Channel `command`: runs a program of the operator's own, the webhook's JSON on its input.

Exit codes after sysexits.h: 0 delivered, 75 (EX_TEMPFAIL) try again, any other given up.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

from stewardmon.channels.http_client import dump, redact
from stewardmon.channels.settings import ChannelSettings
from stewardmon.channels.text import line
from stewardmon.channels.webhook_body import body
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, Kind
from stewardmon.settings import AfterValidator, Field, Secret

TEMPORARY_FAILURE: Final = 75
_KEPT_OUTPUT: Final = 4096
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def _argv(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0] or any("\0" in one for one in value):
        raise ValueError("a command is a list: the program, then its arguments")
    return value


def _environment(value: Mapping[str, Secret]) -> Mapping[str, Secret]:
    for name, secret in value.items():
        if not name or "=" in name or "\0" in name + secret.get_secret_value():
            raise ValueError("an environment variable has a name without `=`, and no NUL in it")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings(ChannelSettings):
    """The program and its arguments (no shell ever sees them), and what its environment adds.

    Of stewardmon's own environment it gets PATH, HOME and the locale, and no secrets.
    """

    command: Annotated[tuple[str, ...], AfterValidator(_argv)]
    environment: Annotated[Mapping[str, Secret], AfterValidator(_environment)] = Field(
        default_factory=dict
    )


class CommandChannel:
    """Starts one process a message; `to` is in the JSON and in STEWARDMON_TO."""

    def __init__(self, settings: CommandSettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._own = {name: one.get_secret_value() for name, one in settings.environment.items()}

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Run the program to its end, or raise DeliveryError."""
        content = dump(body(notification, to=to, now=self._clock.now()))
        process = await self._start(notification, to)
        seconds = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                said = await _talk(process, content)
                code = await process.wait()
        except TimeoutError:
            raise DeliveryError(
                f"command {self._name} did not end within {seconds:g}s and was stopped",
                temporary=True,
            ) from None
        finally:
            # Whatever it has started in its group ends with it, also when we are cancelled.
            await _kill(process)
        words = self._safe(said)
        if code == 0:
            return Receipt(text=words or f"command {self._name} ended well")
        raise DeliveryError(
            f"command {self._name} ended with {code}{': ' + words if words else ''}",
            temporary=code == TEMPORARY_FAILURE,
        )

    async def close(self) -> None:
        """Nothing is kept open."""

    @property
    def _name(self) -> str:
        return line(os.path.basename(self._settings.command[0]), 60)  # noqa: PTH119 - a name only

    async def _start(self, notification: Notification, to: str) -> Process:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {
            "STEWARDMON_TO": line(to, 1000),
            "STEWARDMON_EVENT": notification.event.value,
            **self._own,
        }
        try:
            return await asyncio.create_subprocess_exec(
                *self._settings.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(
                f"command {self._name} cannot be started: {error.strerror}", temporary=False
            ) from None

    def _safe(self, said: bytes) -> str:
        words = said.decode("utf-8", "replace").strip().partition("\n")[0]
        return line(redact(words, (one for one in self._own.values() if len(one) > 2)), 200)


async def _talk(process: Process, content: bytes) -> bytes:
    """Feed the program while its output is drained, and return the beginning of that."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(process, content), name="command-input")
        output = group.create_task(_drain(process), name="command-output")
    return output.result()


async def _feed(process: Process, content: bytes) -> None:
    if process.stdin is None:
        return
    # A program that does not read its input has every right not to.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _drain(process: Process) -> bytes:
    kept = bytearray()
    while process.stdout is not None and (chunk := await process.stdout.read(65536)):
        kept += chunk[: _KEPT_OUTPUT - len(kept)]
    return bytes(kept)


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A grandchild in a session of its own may hold the pipes: the wait for them is bounded.
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.wait()


KIND: Final = Kind(settings=CommandSettings, make=CommandChannel)
