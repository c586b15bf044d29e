"""The fence: a decision of somebody who no longer leads must not become durable."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from stewardmon.errors import DeposedError
from stewardmon.stores.schema import leader

ROW: Final = 1
"""The one row of the table `leader`."""


def check(connection: Connection, epoch: int | None) -> None:
    """Raise DeposedError where `epoch` is no longer the leader's; None is not fenced.

    The row stays locked until the transaction ends, so that nobody takes over in its middle.
    """
    if epoch is None:
        return
    held = select(leader.c.epoch).where(leader.c.id == ROW, leader.c.epoch == epoch)
    if connection.execute(held.with_for_update(read=True)).first() is None:
        raise DeposedError("another stewardmon leads now: this one only watches")
