"""How long a cached answer takes: one slow answer says nothing, two do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stewardmon.clock import SystemClock
from stewardmon.probes.agent_cache import CacheProbe, CacheSettings
from stewardmon.probes.steward import Session


class Timed(CacheProbe):
    """A probe whose answers, the first fresh and the others cached, take so many seconds."""

    seconds: list[float]

    async def _put(self, query: str, session: Session) -> tuple[Mapping[str, Any], float]:
        del query, session
        took = self.seconds.pop(0)
        return {"cached": len(self.seconds) < self.answers - 1}, took

    answers = 0


@pytest.mark.parametrize(
    ("seconds", "right"),
    [([1.0, 0.1], True), ([1.0, 2.5, 0.1], True), ([1.0, 2.5, 2.5], False)],
)
async def test_a_cached_answer_is_slow_when_it_is_so_twice(
    seconds: list[float], right: bool
) -> None:
    settings = CacheSettings.model_validate(
        {
            "url": "http://app.example",
            "supabase_url": "http://auth.example",
            "anon_key": "key",
            "email": "user@app.example",
            "password": "secret-of-a-test",
        }
    )
    probe = Timed(settings, clock=SystemClock(), user_agent="test")
    probe.seconds, probe.answers = list(seconds), len(seconds)
    wrong = await probe._anew(None)  # type: ignore[arg-type]  # noqa: SLF001
    assert (not wrong) is right
    assert probe.seconds == []
