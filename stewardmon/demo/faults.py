"""Which faults are switched on now, and what switching one does to the real servers.

A fault is either read by the server that it strikes (`if Fault.X in faults`), or it has an
effect: an asynchronous context manager, where entering breaks something real and leaving
repairs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from stewardmon.demo.catalogue import SPECS, Fault
from stewardmon.domain.alike import alike
from stewardmon.errors import UsageError

Parameters: TypeAlias = Mapping[str, float]
Effect: TypeAlias = Callable[[Parameters], AbstractAsyncContextManager[object]]


@dataclass(slots=True, eq=False)
class _Active:
    """A fault that is on: `released` is set when it goes off, to free whoever it holds."""

    parameters: Parameters
    effect: AbstractAsyncContextManager[object] | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    debt: float = 0.0


class Faults:
    """The switchboard. Switching is serial; reading is cheap and may happen on every request."""

    def __init__(self, effects: Mapping[Fault, Effect] | None = None) -> None:
        self._effects = dict(effects or {})
        self._barriers: dict[Fault, frozenset[Fault]] = {}
        self._active: dict[Fault, _Active] = {}
        self._lock = asyncio.Lock()
        self._closing = asyncio.Event()

    def bind(
        self, effects: Mapping[Fault, Effect], *, barriers: frozenset[Fault] = frozenset()
    ) -> None:
        """Add what faults do; while one of `barriers` is on, these cannot be switched."""
        self._effects.update(effects)
        self._barriers.update(dict.fromkeys(effects, barriers))

    async def on(self, name: str, **parameters: float) -> None:
        """Switch a fault on; on again with other numbers, it starts over.

        Raises UsageError for an unknown fault or number.
        """
        fault = fault_named(name)
        chosen = _parameters(fault, parameters)
        async with self._lock:
            self._check_barriers(fault)
            await self._release(fault)
            active = _Active(chosen)
            if effect := self._effects.get(fault):
                active.effect = effect(chosen)
                await active.effect.__aenter__()
            self._active[fault] = active

    async def off(self, name: str) -> None:
        """Switch a fault off and repair what it broke; fine where it was not on."""
        fault = fault_named(name)
        async with self._lock:
            if fault in self._active:
                self._check_barriers(fault)
            await self._release(fault)

    async def clear(self) -> None:
        """Switch everything off, the youngest first, so that repairs find what they need."""
        async with self._lock:
            for fault in reversed(list(self._active)):
                await self._release(fault)

    async def close(self) -> None:
        """Free everyone who waits, then switch everything off: the platform is stopping."""
        self._closing.set()
        await self.clear()

    def active(self) -> dict[Fault, Parameters]:
        """Return the faults that are on with their numbers, oldest first."""
        return {fault: active.parameters for fault, active in self._active.items()}

    def __contains__(self, fault: Fault) -> bool:
        return fault in self._active

    def number(self, fault: Fault, name: str) -> float:
        """Return one of the numbers of a fault that is on, else its default."""
        active = self._active.get(fault)
        return (active.parameters if active else SPECS[fault].defaults)[name]

    def strikes(self, fault: Fault) -> bool:
        """Tell whether this request is one of the fault's share.

        The share is spread evenly (a share of 0.25 is every fourth request), not drawn by
        lot: a test of ten requests sees the share that it asked for.
        """
        active = self._active.get(fault)
        if active is None:
            return False
        active.debt += active.parameters.get("share", 1.0)
        if active.debt < 1.0 - 1e-9:
            return False
        active.debt -= 1.0
        return True

    async def hold(self, fault: Fault) -> None:
        """Wait for as long as the fault is on."""
        if active := self._active.get(fault):
            await active.released.wait()

    async def linger(self, fault: Fault) -> None:
        """Wait for the fault's `seconds`, or until it goes off."""
        if active := self._active.get(fault):
            await until(active.released, active.parameters["seconds"])

    async def pause(self, seconds: float) -> None:
        """Wait for so many seconds, or until the platform stops."""
        await until(self._closing, seconds)

    def _check_barriers(self, fault: Fault) -> None:
        for barrier in sorted(self._barriers.get(fault, frozenset()) - {fault}):
            if barrier in self._active:
                raise UsageError(f"{fault} cannot be switched while {barrier} is on")

    async def _release(self, fault: Fault) -> None:
        active = self._active.get(fault)
        if active is None:
            return
        if active.effect is not None:
            await active.effect.__aexit__(None, None, None)
        del self._active[fault]
        active.released.set()


async def until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for at most so many seconds; tell whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def fault_named(name: str) -> Fault:
    """Return the fault of that name; raise UsageError that names the nearest."""
    try:
        return Fault(name)
    except ValueError:
        near = alike(name, Fault)
        hint = f"did you mean {near[0]}?" if near else "GET /faults lists them all"
        raise UsageError(f"there is no fault named {name!r}: {hint}") from None


def _parameters(fault: Fault, given: Parameters) -> Parameters:
    defaults = SPECS[fault].defaults
    for name, value in given.items():
        if name not in defaults:
            known = ", ".join(defaults) or "none"
            raise UsageError(f"{fault} takes no {name!r}; its numbers are: {known}")
        if not _is_number(value) or value < 0:
            raise UsageError(f"{fault}: {name} must be a number of zero or more")
        if name == "share" and value > 1:
            raise UsageError(f"{fault}: share is a fraction between 0 and 1")
    return {**defaults, **given}


def _is_number(value: object) -> bool:
    """Tell whether a value is a number: what arrives over HTTP may be anything."""
    return isinstance(value, int | float) and not isinstance(value, bool)
