"""How each fault shows to whoever looks: the table that the fault tests run through.

A symptom is a coroutine that tells whether the trouble is visible now. It must say no before the
fault is switched on, yes while it is on, and no after it went off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tests.adapters.demo.world import World

Visible = Callable[[World], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """What to look at, and the numbers to switch the fault on with."""

    visible: Visible
    numbers: Mapping[str, float] = field(default_factory=dict)


def shows(visible: Visible, **numbers: float) -> Symptom:
    """Return a symptom."""
    return Symptom(visible=visible, numbers=numbers)
