"""The outbox: rows enqueued once, claimed with a lease, settled, withdrawn.

A row that a sender holds cannot be cancelled under its hands. It is marked `withdrawn` instead:
what the sender reports of a finished send stands, but the row is never tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.notification import Delivery
from stewardmon.stores import rows
from stewardmon.stores.bulk import Insert, marks, taken
from stewardmon.stores.dialect import Connection

# A withdrawn row comes back as pending only when its send is to be tried again: it is not.
_REPLACED: Final = f"""ON CONFLICT (dedup_key) DO UPDATE SET {
    taken(name for name in rows.DELIVERY.split(", ") if name not in ("state", "error"))
}, state = CASE WHEN excluded.state = 'pending' AND outbox.withdrawn IS NOT NULL
        THEN 'cancelled' ELSE excluded.state END,
    error = CASE WHEN excluded.state = 'pending' AND outbox.withdrawn IS NOT NULL
        THEN outbox.withdrawn ELSE excluded.error END,
    withdrawn = NULL"""

_CANCEL: Final = """UPDATE outbox SET
        state = CASE WHEN lease_until IS NULL THEN 'cancelled' ELSE state END,
        error = CASE WHEN lease_until IS NULL THEN :reason ELSE error END,
        withdrawn = CASE WHEN lease_until IS NULL THEN NULL ELSE :reason END
    WHERE incident = :incident AND state = 'pending' AND pages"""

# One that nobody holds, at the instant `:at`.
_FREE: Final = "state = 'pending' AND (lease_until IS NULL OR lease_until <= :at)"

_DROP_WITHDRAWN: Final = """UPDATE outbox
    SET state = 'cancelled', error = withdrawn, withdrawn = NULL, lease_until = NULL
    WHERE withdrawn IS NOT NULL AND """

_enqueue: Final = Insert("outbox", rows.DELIVERY, on_conflict="ON CONFLICT (dedup_key) DO NOTHING")
_replace: Final = Insert("outbox", rows.DELIVERY, on_conflict=_REPLACED)


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
    connection.execute(
        "UPDATE outbox SET lease_until = NULL WHERE state = 'pending' AND lease_until IS NOT NULL"
    )
    connection.execute(f"{_DROP_WITHDRAWN} state = 'pending'")


def claim(
    connection: Connection,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    busy: frozenset[str],
) -> Sequence[Delivery]:
    """Lease the rows that are due, oldest first, each the first of its address and incident."""
    at = {"at": rows.micros(now)}
    connection.execute(_DROP_WITHDRAWN + _FREE, at)
    others = {f"busy{number}": channel for number, channel in enumerate(sorted(busy))}
    idle = f"AND channel NOT IN ({', '.join(f':{name}' for name in others)})" if others else ""
    found = connection.execute(
        f"""SELECT {rows.READ_DELIVERY} FROM outbox WHERE {_FREE} AND due_at <= :at {idle}
        AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
            WHERE earlier.incident = outbox.incident AND earlier.channel = outbox.channel
            AND earlier.address = outbox.address AND earlier.number < outbox.number
            AND earlier.state = 'pending')
        ORDER BY due_at, number LIMIT :limit{connection.skip_locked}""",
        {**at, **others, "limit": limit},
    )
    if not found:
        return []
    until = now + lease
    numbers = [number for number, *_ in found]
    leased = connection.execute(
        f"""UPDATE outbox SET lease_until = ? WHERE number IN {marks(len(numbers))}
        AND state = 'pending' AND (lease_until IS NULL OR lease_until <= ?) RETURNING number""",
        (rows.micros(until), *numbers, at["at"]),
    )
    ours = {number for (number,) in leased}
    return [replace(rows.delivery_of(row), lease_until=until) for row in found if row[0] in ours]
