"""Journeys run on virtual time: an hour passes as fast as the work in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.virtual import VirtualLoop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, type[VirtualLoop]]:
    """Give every journey a virtual loop of its own."""
    del config, item
    return {"virtual": VirtualLoop}
