"""Fixtures: one real PostgreSQL for the session, and an empty database for each test."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.errors import StewardmonError
from tests.support.peers import missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server shared by the session: leave it running, and keep to your own database."""
    with _server() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A running server of the test's own, to stop, crash and restart (costs about a second)."""
    with _server() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The address of a fresh empty database, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def _server() -> PostgresServer:
    try:
        find_programs()
    except StewardmonError as error:
        missing(str(error))
    return PostgresServer()
