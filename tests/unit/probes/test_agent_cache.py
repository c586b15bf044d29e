"""How long a cached answer takes: one slow answer says nothing, two do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stewardmon.clock import SystemClock
from stewardmon.probes.agent_cache import CacheProbe, CacheSettings
from stewardmon.probes.steward import Session
from tests.support.virtual import VirtualClock, run_virtually


class Timed(CacheProbe):
    """A probe whose answers, the first fresh and the others cached, take so many seconds."""

    seconds: list[float]

    async def _put(self, query: str, session: Session) -> tuple[Mapping[str, Any], float]:
        del query, session
        took = self.seconds.pop(0)
        return {"cached": len(self.seconds) < self.answers - 1}, took

    answers = 0


def settings() -> CacheSettings:
    return CacheSettings.model_validate(
        {
            "url": "http://app.example",
            "supabase_url": "http://auth.example",
            "anon_key": "key",
            "email": "user@app.example",
            "password": "secret-of-a-test",
            "ttl": "100s",
        }
    )


@pytest.mark.parametrize(
    ("seconds", "right"),
    [([1.0, 0.1], True), ([1.0, 2.5, 0.1], True), ([1.0, 2.5, 2.5], False)],
)
async def test_a_cached_answer_is_slow_when_it_is_so_twice(
    seconds: list[float], right: bool
) -> None:
    probe = Timed(settings(), clock=SystemClock(), user_agent="test")
    probe.seconds, probe.answers = list(seconds), len(seconds)
    wrong = await probe._anew(None)  # type: ignore[arg-type]  # noqa: SLF001
    assert (not wrong) is right
    assert probe.seconds == []


class App(CacheProbe):
    """A probe of an app that answers in its own time and caches what it has answered."""

    takes: float = 0.0
    lives: float = 100.0
    _kept: tuple[str, float] | None = None

    async def _put(self, query: str, session: Session) -> tuple[Mapping[str, Any], float]:
        del session
        await self._clock.sleep(self.takes)
        now = self._clock.monotonic()
        if self._kept is not None and self._kept[0] == query and now - self._kept[1] < self.lives:
            return {"cached": True}, 0.0
        self._kept = query, now
        return {"cached": False}, 1.0

    async def later(self, seconds: float, *, takes: float) -> list[str]:
        """Return what is wrong when it is asked so long after the last ask began."""
        await self._clock.sleep(seconds)
        self.takes = takes
        entry, self._entry = self._entry, None
        if entry is None or self._near_its_end(entry):
            return ["begun anew"]
        wrong = await self._again(entry, None)  # type: ignore[arg-type]
        return [one.detail for one in wrong]


@pytest.mark.parametrize(
    ("first", "after", "then", "lives", "says"),
    [
        # The first is asked at 0 and cached after `first`; a second one takes as long.
        (20, 20, 0, 100, ""),  # at 60 s: it lives
        (40, 40, 0, 100, "begun anew"),  # at 120 s, 80 s after it was cached
        (40, 75, 0, 100, ""),  # at 155 s: it is gone
        (0, 80, 40, 100, ""),  # its end comes while the app thinks
        (0, 80, 0, 50, "left the cache within"),
        (0, 120, 0, 500, "still cached after"),
        (40, 120, 0, 500, "still cached after"),
    ],
)
def test_an_app_that_takes_its_time_is_not_blamed_for_its_cache(
    first: float, after: float, then: float, lives: float, says: str
) -> None:
    async def life() -> list[str]:
        probe = App(settings(), clock=VirtualClock(), user_agent="test")
        probe.takes, probe.lives = first, 1e9
        assert await probe._anew(None) == []  # type: ignore[arg-type]  # noqa: SLF001
        probe.lives = lives
        return await probe.later(after, takes=then)

    told = run_virtually(life())
    assert len(told) == (says != "")
    assert says in "".join(told)
