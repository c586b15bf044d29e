"""Fixtures for every test: real peers, a real PostgreSQL, a real browser."""

from __future__ import annotations

pytest_plugins = ["tests.support.peers", "tests.support.postgres", "tests.support.browser"]
