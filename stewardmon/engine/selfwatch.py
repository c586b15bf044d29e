"""The watcher watched: our own figures as series, and the rules over them that always hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Final

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule, RuleGroup
from stewardmon.engine.record import Tape
from stewardmon.ports import Clock

LOOK_EVERY: Final = 5.0  # seconds
AT_ONCE: Final = 1000  # samples written in one turn
JOB: Final = "stewardmon"


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
        # The labels of what was seen at the last look, by name and label values.
        self._known: dict[tuple[str, ...], Labels] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.look()
            self._beat()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Write one sample of everything; what is gone ends with a stale marker.

        Of ten thousand probes that is a tenth of a second: other loops get their turns between.
        """
        at_ms = milliseconds(self._clock.now())
        former, self._known = self._known, {}
        values = self._values()
        while some := list(islice(values, AT_ONCE)):
            keys = [(name, *own.values()) for name, own, _ in some]
            labelled = [
                former.get(key) or Labels({NAME: name, **own, **self._identity})
                for key, (name, own, _) in zip(keys, some, strict=True)
            ]
            self._known.update(zip(keys, labelled, strict=True))
            self._tape.append_all(labelled, at_ms, [value for _, _, value in some])
            await self._clock.sleep(0)
        for key in former.keys() - self._known.keys():
            self._tape.mark_stale(former[key], at_ms)

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
