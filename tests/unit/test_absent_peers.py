"""A peer that is not installed: a skip that says what to install, and a failure in CI."""

from __future__ import annotations

from typing import Final

import pytest

from tests.support import peers

LINE: Final = "amtool is not installed: apt-get install --no-install-recommends prometheus-alertm"


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PATH", "")


def test_it_skips_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEWARDMON_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=LINE):
        peers.require("amtool")


def test_it_fails_where_peers_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEWARDMON_PEERS", "required")
    with pytest.raises(pytest.fail.Exception, match=LINE):
        peers.require("amtool")


def test_a_marked_test_ends_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.delenv("STEWARDMON_PEERS", raising=False)
    request.node.add_marker(peers.needs_peer("promtool", "amtool"))
    with pytest.raises(pytest.skip.Exception, match="promtool is not installed"):
        peers.pytest_runtest_setup(request.node)


def test_a_peer_without_a_package_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="names no package for"):
        peers.needs_peer("nagios")
