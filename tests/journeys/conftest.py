"""Journeys run on virtual time: an hour passes as fast as the work in it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual import VirtualLoop


class _Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop()


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Give every journey a virtual loop of its own."""
    return _Policy()
