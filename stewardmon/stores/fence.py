"""The fence: a decision of somebody who no longer leads must not become durable."""

from __future__ import annotations

from typing import Final

from stewardmon.errors import DeposedError
from stewardmon.stores.dialect import Connection

ROW: Final = 1
"""The one row of the table `leader`."""


def check(connection: Connection, epoch: int | None) -> None:
    """Raise DeposedError where `epoch` is no longer the leader's; None is not fenced.

    The row stays locked until the transaction ends, so that nobody takes over in its middle.
    """
    if epoch is None:
        return
    held = "SELECT epoch FROM leader WHERE id = ? AND epoch = ?"
    if not connection.execute(held + connection.for_share, (ROW, epoch)):
        raise DeposedError("another stewardmon leads now: this one only watches")
