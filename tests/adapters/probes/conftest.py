"""Fixtures of the probes' tests: an authority that signs every kind of certificate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.servers import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A certificate authority; making keys takes a while."""
    return Authority()


@pytest.fixture
def roots(authority: Authority, tmp_path: Path) -> str:
    """The file of roots that trusts it."""
    return authority.write_roots(str(tmp_path / "roots.pem"))
