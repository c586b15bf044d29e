"""Time that passes as fast as the work in it: a loop whose clock jumps to the next deadline."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from stewardmon.clock import SystemClock

T = TypeVar("T")
EPOCH = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday, after the hand-over in Berlin


class _Jumping(selectors.DefaultSelector):
    """A selector that never waits for time, only for threads that still work."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.loop.working:
            return super().select(0.02)
        if timeout is None:
            return super().select(0.02)
        self.loop.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which a day of ticks takes as long as computing them.

    Work handed to threads is waited for in real time, so that it happens at one virtual instant.
    """

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self.passed = 0.0
        self.working = 0
        super().__init__(selector)

    def time(self) -> float:
        return self.passed

    def run_in_executor(  # type: ignore[override]  # its stub wants a variadic generic
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> Any:
        self.working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: asyncio.Future[Any]) -> None:
        self.working -= 1


class VirtualClock(SystemClock):
    """The real clock over the virtual loop; `step` sets the machine's as an operator would."""

    def __init__(self, start: datetime = EPOCH) -> None:
        super().__init__()
        self._start = start - timedelta(seconds=_up_for())

    def _machine(self) -> float:
        return (self._start + timedelta(seconds=self.monotonic())).timestamp()

    def _steady(self) -> float:
        return self.monotonic()

    def step(self, by: timedelta) -> None:
        """Move wall time without moving monotonic time."""
        self._start += by


def _up_for() -> float:
    """Return what a loop on real time counts from: how long the machine has been up."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return 0.0
    return 0.0 if isinstance(loop, VirtualLoop) else loop.time()


def run_virtually(journey: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(journey)
