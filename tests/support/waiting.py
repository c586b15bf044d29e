"""The one home of waiting for another process: ask again until it is so, or say what was seen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_SECONDS: Final = 0.02
T = TypeVar("T")


def until(check: Callable[[], T], *, what: str, within: float = 30.0) -> T:
    """Return the first truthy answer of `check`; fail after `within` seconds, naming `what`."""
    deadline = time.monotonic() + within
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {answer!r}")
        time.sleep(PAUSE_SECONDS)
    return answer


async def until_async(check: Callable[[], Awaitable[T]], *, what: str, within: float = 30.0) -> T:
    """As `until`, without blocking the event loop; `check` is an async function."""
    deadline = time.monotonic() + within
    while not (answer := await check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {answer!r}")
        await asyncio.sleep(PAUSE_SECONDS)
    return answer
