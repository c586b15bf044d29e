"""The watcher watched: our own figures as series, and the rules over them that always hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Final, NamedTuple

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels, Pair
from stewardmon.domain.rule import AlertRule, RuleGroup
from stewardmon.engine.record import Tape
from stewardmon.ports import Clock

LOOK_EVERY: Final = 5.0  # seconds
SAID_EVERY: Final = 3  # looks, of a value that stands still: far below a rule's lookback of 5 m
AT_ONCE: Final = 1000  # samples written in one turn
JOB: Final = "stewardmon"


class _Said(NamedTuple):
    """The last sample of a series: its labels, its value, and at which look it was written."""

    labels: Labels
    value: float
    look: int


class SelfWatch:
    """Turns stewardmon's own gauges and counters into series that rules can ask.

    `extra` adds what no metric holds: silent probes and rules that keep failing, by name.
    """

    def __init__(
        self,
        tape: Tape,
        clock: Clock,
        *,
        location: str,
        extra: Callable[[], Mapping[tuple[str, str, str], float]],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._tape = tape
        self._clock = clock
        self._identity = {"job": JOB, "instance": location}
        self._extra = extra
        self._beat = beat
        self._looks = 0
        # What was seen at the last look, by name and label values.
        self._known: dict[tuple[str, ...], _Said] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.look()
            self._beat()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Write what has changed, and what stands still now and then; what is gone ends stale.

        Of ten thousand probes there are three values each, of which most stand still: written at
        every look they would be a third of all samples. A look at them takes a tenth of a second:
        other loops get their turns between.
        """
        at_ms = milliseconds(self._clock.now())
        self._looks += 1
        former, self._known = self._known, {}
        values = self._values()
        pairs: dict[Pair, Pair] = {}
        while some := list(islice(values, AT_ONCE)):
            written = [
                said
                for name, own, value in some
                if (said := self._say(former, name, own, value, pairs)) is not None
            ]
            self._tape.append_all(
                [said.labels for said in written], at_ms, [said.value for said in written]
            )
            await self._clock.sleep(0)
        for key in former.keys() - self._known.keys():
            self._tape.mark_stale(former[key].labels, at_ms)

    def _say(
        self,
        former: Mapping[tuple[str, ...], _Said],
        name: str,
        own: Mapping[str, str],
        value: float,
        pairs: dict[Pair, Pair],
    ) -> _Said | None:
        """Note a value; return what is to be written of it, None where it stands still."""
        key = (name, *own.values())
        before = former.get(key)
        if before is None:
            labels = Labels.sharing({NAME: name, **own, **self._identity}, pairs)
        elif before.value == value and self._looks - before.look < SAID_EVERY:
            self._known[key] = before
            return None
        else:
            labels = before.labels
        said = self._known[key] = _Said(labels, value, self._looks)
        return said

    def _values(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        extra = self._extra()  # first: what it finds out it sets in the registry too
        for family in metrics.REGISTRY.collect():
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    yield sample.name, sample.labels, sample.value
        for (name, label, of), value in extra.items():
            yield name, {label: of}, value


def own_rules() -> RuleGroup:
    """Return the rules about stewardmon itself, which no file can leave out.

    DESIGN.md, section 6: loops, probes without outcomes, failing rules, a configuration that does
    not load, overdue steps, a store that fails.
    """
    rules = (
        _rule(
            "StewardmonProbeSilent",
            "stewardmon_probe_silent_intervals >= 3",
            "probe {{ $labels.probe }} has had no outcome for three intervals",
        ),
        _rule(
            "StewardmonRuleFailing",
            "stewardmon_rule_failures_in_a_row >= 3",
            "rule {{ $labels.rule }} cannot be evaluated: it would not fire if it had to",
        ),
        _rule(
            "StewardmonConfigInvalid",
            "stewardmon_config_last_reload_successful == 0",
            "the configuration on disk does not load; the former one stays in force",
            severity="warning",
        ),
        _rule(
            "StewardmonStepOverdue",
            "stewardmon_overdue_steps > 0",
            "{{ $value }} escalation steps or messages are overdue and unsent",
        ),
        _rule(
            "StewardmonStoreFailing",
            "stewardmon_store_healthy == 0",
            "the state cannot be written: pages go out from memory, a crash would forget them",
        ),
        _rule(
            "StewardmonOffline",
            "stewardmon_offline == 1",
            "no probe reaches anything beyond this machine: pages about what is out there wait",
        ),
        _rule(
            "StewardmonCalendarFailing",
            "stewardmon_calendar_failures_in_a_row >= 4",
            "the calendar of {{ $labels.rotation }} cannot be read: what it last said holds",
            severity="warning",
        ),
        _rule(
            "StewardmonClockStepped",
            "abs(stewardmon_clock_offset_seconds) > 5",
            "the machine's clock was set {{ $value | humanizeDuration }} away: stewardmon keeps "
            "its own time and approaches the new one slowly; restart it to take it over at once",
            severity="warning",
        ),
        _rule(
            "StewardmonLoopRestarted",
            "increase(stewardmon_loop_restarts_total[10m]) > 0",
            "the {{ $labels.loop }} loop died of a bug and was started again",
            severity="warning",
        ),
    )
    return RuleGroup(name="stewardmon", rules=rules, interval=timedelta(seconds=LOOK_EVERY))


def _rule(name: str, expr: str, summary: str, *, severity: str = "critical") -> AlertRule:
    return AlertRule(
        name=name,
        expr=expr,
        group="stewardmon",
        labels=Labels({"severity": severity}),
        annotations=(("summary", summary),),
        source="built in",
    )
