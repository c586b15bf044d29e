"""The outbox: rows enqueued once, claimed with a lease, settled, withdrawn.

A row that a sender holds cannot be cancelled under its hands. It is marked `withdrawn` instead:
what the sender reports of a finished send stands, but the row is never tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, exists, or_, select, text, true, update

from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.stores import rows
from stewardmon.stores.bulk import Insert, taken
from stewardmon.stores.schema import outbox

_PENDING: Final = DeliveryState.PENDING.value
_CANCELLED: Final = DeliveryState.CANCELLED.value
_STORE_ONLY: Final = ("number", "withdrawn")

# A withdrawn row comes back as pending only when its send is to be tried again: it is not.
_REPLACED: Final = f"""ON CONFLICT (dedup_key) DO UPDATE SET {
    taken([c.name for c in outbox.columns if c.name not in (*_STORE_ONLY, "state", "error")])
}, state = CASE WHEN excluded.state = 'pending' AND outbox.withdrawn IS NOT NULL
        THEN 'cancelled' ELSE excluded.state END,
    error = CASE WHEN excluded.state = 'pending' AND outbox.withdrawn IS NOT NULL
        THEN outbox.withdrawn ELSE excluded.error END,
    withdrawn = NULL"""

_CANCEL: Final = text(
    """UPDATE outbox SET
        state = CASE WHEN lease_until IS NULL THEN 'cancelled' ELSE state END,
        error = CASE WHEN lease_until IS NULL THEN :reason ELSE error END,
        withdrawn = CASE WHEN lease_until IS NULL THEN NULL ELSE :reason END
    WHERE incident = :incident AND state = 'pending' AND pages"""
)


_enqueue: Final = Insert(outbox, skip=_STORE_ONLY, on_conflict="ON CONFLICT (dedup_key) DO NOTHING")
_replace: Final = Insert(outbox, skip=_STORE_ONLY, on_conflict=_REPLACED)


def enqueue(
    connection: Connection, deliveries: Sequence[Delivery], replaces: frozenset[str]
) -> None:
    """Add rows; one whose key is known is left as it is unless `replaces` names it."""
    fresh: list[rows.Row] = []
    settled: list[rows.Row] = []
    for delivery in deliveries:
        known = delivery.dedup_key in replaces
        (settled if known else fresh).append(rows.delivery_row(delivery))
    _replace.run(connection, rows.last_by_key(settled))
    _enqueue.run(connection, fresh)


def cancel(connection: Connection, cancels: Mapping[str, str]) -> None:
    """Take back the pages of incidents that nobody has sent yet."""
    for incident, reason in cancels.items():
        connection.execute(
            _CANCEL, {"incident": rows.plain(incident), "reason": rows.plain(reason)}
        )


def release(connection: Connection) -> None:
    """Let every lease go: rows whose sender died are claimed again at once."""
    held = outbox.c.lease_until.is_not(None)
    connection.execute(
        update(outbox).where(outbox.c.state == _PENDING, held).values(lease_until=None)
    )
    _drop_withdrawn(connection, true())


def _drop_withdrawn(connection: Connection, free: ColumnElement[bool]) -> None:
    connection.execute(
        update(outbox)
        .where(outbox.c.state == _PENDING, free, outbox.c.withdrawn.is_not(None))
        .values(
            state=_CANCELLED,
            error=outbox.c.withdrawn,
            withdrawn=None,
            lease_until=None,
        )
    )


def claim(
    connection: Connection,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    busy: frozenset[str],
) -> Sequence[Delivery]:
    """Lease the rows that are due, oldest first, each the first of its address and incident."""
    at = rows.micros(now)
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= at)
    pending = outbox.c.state == _PENDING
    _drop_withdrawn(connection, free)
    earlier = outbox.alias("earlier")
    waits = exists().where(
        earlier.c.incident == outbox.c.incident,
        earlier.c.channel == outbox.c.channel,
        earlier.c.address == outbox.c.address,
        earlier.c.number < outbox.c.number,
        earlier.c.state == _PENDING,
    )
    found = connection.execute(
        select(outbox)
        .where(pending, free, outbox.c.due_at <= at, outbox.c.channel.not_in(busy), ~waits)
        .order_by(outbox.c.due_at, outbox.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    ).all()
    if not found:
        return []
    until = now + lease
    leased = connection.execute(
        update(outbox)
        .where(outbox.c.number.in_([row.number for row in found]), pending, free)
        .values(lease_until=rows.micros(until))
        .returning(outbox.c.number)
    ).scalars()
    ours = set(leased)
    return [
        replace(rows.delivery_of(row), lease_until=until) for row in found if row.number in ours
    ]
