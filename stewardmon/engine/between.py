"""Which probes are asked between their ticks, because another answer has made it worth it.

A probe that begins to fail may be a symptom, and its cause a probe that is asked every few minutes:
whoever is paged should be told the cause, so what it depends on is asked at once. And it may be
chance: a rule that holds after a minute must not take one answer for all of that minute, so a probe
that is asked once a minute or less is asked again within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.ports import ProbeSpec

SOON: Final = timedelta(seconds=20)  # whoever is asked as often is asked soon anyway
SELDOM: Final = timedelta(minutes=1)  # as long as the shortest hold of a rule that pages
AGAIN: Final = (20.0, 40.0)  # seconds after a failure has begun; thrice in a row is no chance
# With `confirm` an ask is two already, and what is asked so costs the app questions (it takes ten a
# minute) and its AI provider tokens: once more, and one probe of a job a minute.
AGAIN_CONFIRMED: Final = (30.0,)
POLITE: Final = 60.0  # seconds between two such asks of the same probe, at least
# What asking again cannot change: what we are, have or may.
FUTILE: Final = frozenset({Reason.AUTH, Reason.QUOTA, Reason.RATE_LIMIT, Reason.BUDGET})


class Between:
    """Says after each answer whom to ask beside the ticks, and how many seconds from now."""

    def __init__(self, specs: Iterable[ProbeSpec] = ()) -> None:
        self._failing: dict[str, tuple[float, int]] = {}  # since when, how often asked again
        self._asked: dict[str, float] = {}  # when a need, or a job's confirmed probe, was last
        self.change(specs)

    def change(self, specs: Iterable[ProbeSpec]) -> None:
        """Know these probes from now on."""
        self._specs: Mapping[str, ProbeSpec] = {spec.name: spec for spec in specs}
        self._failing = {n: one for n, one in self._failing.items() if n in self._specs}

    def after(self, spec: ProbeSpec, outcome: Outcome, *, now: float) -> dict[str, float]:
        """Return seconds from now by probe; `now` is monotonic."""
        if outcome.success:
            self._failing.pop(spec.name, None)
            return {}
        if outcome.state not in {State.DOWN, State.DEGRADED}:
            return {}
        begun = spec.name not in self._failing
        since, times = self._failing.setdefault(spec.name, (now, 0))
        found = self._needs(spec, now) if begun else {}
        waits = AGAIN_CONFIRMED if spec.confirm else AGAIN
        if times < len(waits) and self._is_worth_it(spec, outcome, now):
            self._failing[spec.name] = since, times + 1
            found[spec.name] = max(0.0, since + waits[times] - now)
        return found

    def _needs(self, spec: ProbeSpec, now: float) -> dict[str, float]:
        """Return what the probe depends on, directly or by way of others, and is asked rarely."""
        found: dict[str, float] = {}
        pending = list(spec.depends_on)
        while pending:
            need = self._specs.get(pending.pop())
            if need is None or need.name in found:
                continue
            pending += need.depends_on
            found[need.name] = 0.0
        rarely = [n for n in found if self._specs[n].every > SOON and n not in self._failing]
        return {name: 0.0 for name in rarely if name != spec.name and self._is_polite(name, now)}

    def _is_worth_it(self, spec: ProbeSpec, outcome: Outcome, now: float) -> bool:
        if outcome.state is not State.DOWN or outcome.reason in FUTILE or spec.every < SELDOM:
            return False
        if any(name in self._failing for name in spec.depends_on):
            return False  # then this is no chance
        return not spec.confirm or self._is_polite(f"{spec.job} again", now)

    def _is_polite(self, key: str, now: float) -> bool:
        spec = self._specs.get(key)
        pause = max(POLITE, spec.timeout.total_seconds()) if spec is not None else POLITE
        if now - self._asked.get(key, -pause) < pause:
            return False
        self._asked[key] = now
        return True
