"""How late the event loop runs what is due, and how often something held it for long."""

from __future__ import annotations

from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.ports import Clock

log = structlog.get_logger()

EVERY: Final = 0.2  # seconds: at 0.05 this took twice what a daemon at rest takes
SLOW: Final = 0.05  # seconds: what nothing may hold the loop for


async def measure(clock: Clock) -> None:
    """Run until cancelled: ask for a turn five times a second, and note how much later it comes.

    What holds the loop for `EVERY + SLOW` or longer is always counted as slow, what is shorter
    than `SLOW` never, and what lies between as often as a turn was due in time to see it. `clock`
    must be the world's: a loop is no faster where time is.
    """
    due = clock.monotonic()
    while True:
        due += EVERY
        await clock.sleep(due - clock.monotonic())
        now = clock.monotonic()
        late = max(0.0, now - due)
        metrics.LOOP_LAG.observe(late)
        if late >= SLOW:
            metrics.SLOW_CALLBACKS.inc()
            log.debug("loop_held", seconds=round(late, 3))
            due = now  # one hold is one: what was due meanwhile is not made up for
