"""Signed links: how long they are good for, whatever the clock is set to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stewardmon.clock import SystemClock
from stewardmon.web.links import LIFETIME, Claim, LinkError, Links


class Later(SystemClock):
    """The clock so much later: the signature itself bears the time of this machine."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self._by = by

    def now(self) -> datetime:
        return super().now().astimezone(UTC) + self._by


def _read(later: timedelta) -> Claim:
    token = Links("secret", "http://x", SystemClock()).token("i", "dev-a")
    return Links("secret", "http://x", Later(later)).read(token)


@pytest.mark.parametrize("later", [timedelta(0), LIFETIME - timedelta(minutes=1), -LIFETIME])
def test_a_link_is_good_for_a_week_and_after_a_clock_that_was_set_back(later: timedelta) -> None:
    assert _read(later) == Claim("i", "dev-a")


def test_after_a_week_it_says_what_to_do_instead() -> None:
    with pytest.raises(LinkError, match="has expired: open the incident's page instead"):
        _read(LIFETIME + timedelta(minutes=1))
