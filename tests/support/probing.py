"""Ask one probe once, as the daemon does, and look at what it says."""

from __future__ import annotations

from typing import Any, Final

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome
from stewardmon.ports import Context
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask

CLOCK: Final = SystemClock()
CONTEXT: Final = Context(clock=CLOCK, user_agent="stewardmon/test")


def unexpected(error: Exception) -> None:
    """Fail the test: a probe's bug must not hide in an outcome."""
    raise error


async def asked(kind: str, *, timeout: float = 5.0, **settings: Any) -> Outcome:
    """Build a probe of a kind from settings as they stand in probes.yml, and ask it once."""
    return await asked_in(CONTEXT, kind, timeout=timeout, **settings)


async def asked_in(shared: Context, kind: str, *, timeout: float, **settings: Any) -> Outcome:
    """As `asked`, with a context of one's own."""
    found = KINDS[kind]
    probe = found.make(found.settings.model_validate(settings), shared)
    try:
        return await ask(probe, timeout=timeout, bug=unexpected)
    finally:
        await probe.close()


def measured(outcome: Outcome) -> dict[str, float]:
    """Return the outcome's numbers by name, labels in braces where there are any."""
    return {
        one.name
        + (
            "{" + ",".join(f"{k}={v}" for k, v in one.labels.items()) + "}" if one.labels else ""
        ): one.value
        for one in outcome.measurements
    }
