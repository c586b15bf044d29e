"""What to do about a message that could not be delivered: when to try again, and where else.

Every function here is pure: `now` and chance are arguments, and nothing is remembered but in the
values that are handed back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from stewardmon.domain.notification import Delivery, NotificationEvent
from stewardmon.errors import DeliveryError

SHORTEST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=5)
# A receiver's own wish may stretch the wait for what can wait; a page never waits longer than this.
LONGEST_WISH: Final = timedelta(hours=1)
KEPT_TRYING: Final = timedelta(hours=24)
# A drill measures now: a drill that arrives an hour late has failed already.
DRILL_KEPT_TRYING: Final = timedelta(minutes=15)
FALL_BACK_AFTER: Final = 2
# Once the next contact was tried, the earlier one is tried this often at most.
ATTEMPTS_BESIDE: Final = 6

FAILURES_TO_OPEN: Final = 5
FIRST_REST: Final = timedelta(seconds=10)
# Never longer: a page that has only this channel must not wait for long once it works again.
LONGEST_REST: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows from a failed attempt: two answers that are independent of each other.

    `retry_at` is when the same contact is tried again, None when it is given up. `falls_back`
    says to call the person's next contact now; enqueueing that call twice is harmless, because
    its dedup key is the same.
    """

    retry_at: datetime | None
    falls_back: bool

    @property
    def gives_up(self) -> bool:
        """Say whether nothing more will be done about this message."""
        return self.retry_at is None and not self.falls_back


def backoff(
    attempts: int,
    *,
    retry_after: float | None,
    rng: Callable[[], float],
    longest_wish: timedelta = LONGEST_WAIT,
) -> timedelta:
    """Return how long to wait after `attempts` failures: exponential with full jitter.

    The wait lies between 5 s and the smaller of 5 s × 2^attempts and 5 minutes; `rng` returns a
    number in [0, 1). `retry_after` (seconds) raises it, up to `longest_wish`. Full jitter after
    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    # 2^6 × 5 s exceeds the bound: a larger exponent would only make the number overflow.
    ceiling = min(LONGEST_WAIT, SHORTEST_WAIT * (1 << min(max(attempts, 1), 6)))
    wait = SHORTEST_WAIT + (ceiling - SHORTEST_WAIT) * rng()
    if retry_after is None:
        return wait
    wish = timedelta(seconds=min(max(retry_after, 0.0), longest_wish.total_seconds()))
    return max(wait, wish)


def after_failure(
    delivery: Delivery,
    error: DeliveryError,
    *,
    now: datetime,
    more_contacts: bool,
    rng: Callable[[], float],
) -> Verdict:
    """Return what follows from a failed attempt; `delivery.attempts` counts it already.

    A permanent failure gives the contact up and calls the next one at once. A temporary one is
    tried again; from the second on a page calls the next contact as well, and both go on. Only
    pages fall back: an acknowledgement or a resolve is for the place that was paged, and a drill
    asks about one place.
    """
    falls = delivery.pages and more_contacts
    if not error.temporary:
        return Verdict(retry_at=None, falls_back=falls)
    late = falls and delivery.attempts >= FALL_BACK_AFTER
    wait = backoff(
        delivery.attempts,
        retry_after=error.retry_after,
        rng=rng,
        longest_wish=LONGEST_WAIT if delivery.pages else LONGEST_WISH,
    )
    retry_at = now + wait
    over = retry_at - delivery.created_at > _kept_trying(delivery)
    spent = late and delivery.attempts >= ATTEMPTS_BESIDE
    return Verdict(retry_at=None if over or spent else retry_at, falls_back=late)


def while_resting(
    delivery: Delivery, *, circuit: Circuit, now: datetime, more_contacts: bool
) -> Verdict:
    """Return what to do with a message whose channel rests: wait for it, and page elsewhere."""
    rests_until = circuit.rests_until
    if rests_until is None or rests_until <= now:
        # Another message is trying the channel right now: come back when it knows.
        rests_until = now + SHORTEST_WAIT
    return Verdict(retry_at=rests_until, falls_back=delivery.pages and more_contacts)


def _kept_trying(delivery: Delivery) -> timedelta:
    drill = delivery.event is NotificationEvent.DRILL
    return DRILL_KEPT_TRYING if drill else KEPT_TRYING


class CircuitState(StrEnum):
    """Whether a channel is used: normally, not at all, or by one message that tries it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """How one channel has done lately: it rests after failures in a row, then one message tries.

    `trying` is set while that one message is under way. Only temporary failures count: a
    permanent one is about the message or the address, and says that the channel answers.
    """

    failures: int = 0
    rests_until: datetime | None = None
    trying: bool = False

    def state(self, now: datetime) -> CircuitState:
        """Return where the circuit stands at `now`."""
        if self.rests_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.rests_until else CircuitState.HALF_OPEN

    def allows(self, now: datetime) -> bool:
        """Say whether a message may go out now."""
        state = self.state(now)
        return state is CircuitState.CLOSED or (state is CircuitState.HALF_OPEN and not self.trying)

    def started(self, now: datetime) -> Circuit:
        """Return the circuit once a message is under way."""
        return replace(self, trying=True) if self.state(now) is CircuitState.HALF_OPEN else self

    def succeeded(self) -> Circuit:
        """Return the circuit after a delivery, or after a failure that was not the channel's."""
        return Circuit()

    def failed(self, now: datetime) -> Circuit:
        """Return the circuit after a temporary failure: each further rest is twice as long."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures, trying=False)
        rest = FIRST_REST * (1 << min(failures - FAILURES_TO_OPEN, 6))
        return Circuit(failures=failures, rests_until=now + min(rest, LONGEST_REST))

    def released(self) -> Circuit:
        """Return the circuit after a message was cut off without an answer to learn from."""
        return replace(self, trying=False)


def may_wait(delivery: Delivery) -> bool:
    """Say whether a rate limit may delay the message: never a page's or an escalation's first."""
    first = delivery.event in (NotificationEvent.PAGE, NotificationEvent.ESCALATED)
    return not first


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A token bucket for one channel: `per_second` on average, `burst` at once.

    What must not wait is let through on credit, so that what can wait makes room for it; the
    credit is bounded by `burst`, so that a storm of pages does not silence resolves for hours.
    """

    per_second: float
    burst: float
    tokens: float
    at: datetime

    @classmethod
    def per_minute(cls, count: int, *, now: datetime) -> RateLimit:
        """Return a full bucket that allows `count` messages a minute."""
        return cls(per_second=count / 60, burst=float(count), tokens=float(count), at=now)

    def take(self, *, now: datetime, may_wait: bool) -> tuple[RateLimit, datetime | None]:
        """Return the bucket after one message, and None, or when to ask again if it must wait."""
        # A clock that was set back must not drain the bucket.
        elapsed = max(0.0, (now - self.at).total_seconds())
        tokens = min(self.burst, self.tokens + elapsed * self.per_second)
        filled = replace(self, tokens=tokens, at=now)
        if may_wait and tokens < 1:
            return filled, now + timedelta(seconds=(1 - tokens) / self.per_second)
        return replace(filled, tokens=max(tokens - 1, -self.burst)), None
