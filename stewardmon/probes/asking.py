"""Ask a probe once, whatever it does: within a timeout, and never without an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.network.progress import Progress
from stewardmon.ports import Probe

log = logging.getLogger(__name__)

_WHERE: Final = {
    "resolve": "while looking up the name",
    "connect": "while connecting",
    "tls": "during the TLS handshake",
    "processing": "while waiting for the first byte of the answer",
    "transfer": "while reading the answer",
    "query": "while waiting for a query's result",
}


def report(error: Exception) -> None:
    """Log a probe's bug with its traceback: what happens to it where nobody asked otherwise."""
    log.error("probe_failed_unexpectedly", exc_info=error)


async def ask(
    probe: Probe, *, timeout: float, bug: Callable[[Exception], None] = report
) -> Outcome:
    """Return the probe's outcome, with its duration, after at most `timeout` seconds.

    A timeout is an outcome that says in which phase the ask hung. An exception is a bug of ours:
    it is handed to `bug`, and the target's state is unknown.
    """
    now = asyncio.get_running_loop().time  # the clock that cuts off is the one that measures
    started = now()
    cutting = asyncio.timeout(timeout)
    try:
        async with cutting:
            outcome = await probe.ask()
    except TimeoutError as error:
        if cutting.expired():
            outcome = _cut(getattr(probe, "progress", None) or Progress(), timeout)
        else:
            outcome = _broken(error, bug)
    except Exception as error:  # noqa: BLE001 - the one place where a probe's bug becomes data
        outcome = _broken(error, bug)
    return _lasting(outcome, now() - started)


def _lasting(outcome: Outcome, duration: float) -> Outcome:
    # dataclasses.replace costs several times as much, and this runs for every ask.
    return Outcome(
        state=outcome.state,
        reason=outcome.reason,
        detail=outcome.detail,
        duration=duration,
        phases=outcome.phases,
        measurements=outcome.measurements,
        findings=outcome.findings,
    )


def _cut(progress: Progress, timeout: float) -> Outcome:
    where = _WHERE.get(progress.phase, progress.phase)
    return Outcome(
        state=State.DOWN,
        reason=Reason.TIMEOUT,
        detail=f"no answer within {timeout:g} s {where}".rstrip(),
        phases=progress.cut(),
        measurements=progress.measurements(),
    )


def _broken(error: Exception, bug: Callable[[Exception], None]) -> Outcome:
    bug(error)
    return Outcome(
        state=State.UNKNOWN,
        reason=Reason.INTERNAL,
        detail=f"stewardmon could not ask: {type(error).__name__} inside the probe",
    )
