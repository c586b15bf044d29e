"""Every Prometheus metric that stewardmon exports about itself, declared once.

Labels are bounded: names from the configuration, closed reasons, never a URL, a user or a text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

REGISTRY: Final = CollectorRegistry(auto_describe=True)
# Apart, because it grows with the probes: whoever collects our own figures need not pay for it.
PROBE_REGISTRY: Final = CollectorRegistry(auto_describe=True)

BUILD: Final = Gauge(
    "stewardmon_build_info", "The version that runs, as a label.", ["version"], registry=REGISTRY
)
PROBE_LAG: Final = Histogram(
    "stewardmon_schedule_lag_seconds",
    "How late probes start after they are due.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
MISSED_TICKS: Final = Counter(
    "stewardmon_missed_ticks_total",
    "Ticks that were skipped because they came too late or the one before still ran.",
    ["loop"],
    registry=REGISTRY,
)
for _loop in ("watch", "evaluate"):
    MISSED_TICKS.labels(_loop)  # 0 is an answer; a missing series is none
SPARED: Final = Counter(
    "stewardmon_probe_spared_total",
    "Ticks at which a probe was not asked, because its target had asked to wait.",
    ["probe"],
    registry=REGISTRY,
)
EVALUATION: Final = Histogram(
    "stewardmon_evaluation_duration_seconds",
    "Time to evaluate all groups that were due.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
    registry=REGISTRY,
)
EVALUATION_FAILURES: Final = Counter(
    "stewardmon_rule_evaluation_failures_total",
    "Evaluations of rules that failed; they change no state.",
    ["rule"],
    registry=REGISTRY,
)
ALERTS: Final = Gauge("stewardmon_alerts", "Alerts by state.", ["state"], registry=REGISTRY)
INCIDENTS: Final = Gauge(
    "stewardmon_incidents", "Incidents that are not resolved, by state.", ["state"],
    registry=REGISTRY,
)  # fmt: skip
ESCALATIONS: Final = Counter(
    "stewardmon_escalations_total", "Levels that were paged.", ["level"], registry=REGISTRY
)
_PEOPLE = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds
ACKNOWLEDGE: Final = Histogram(
    "stewardmon_incident_acknowledge_seconds",
    "Time from the first page of a round to its acknowledgement.",
    buckets=_PEOPLE,
    registry=REGISTRY,
)
RESOLVE: Final = Histogram(
    "stewardmon_incident_resolve_seconds",
    "Time from the opening of incidents to their end.",
    buckets=_PEOPLE,
    registry=REGISTRY,
)
DELIVERIES: Final = Counter(
    "stewardmon_deliveries_total",
    "Attempts to deliver a message, by channel and result.",
    ["channel", "result"],
    registry=REGISTRY,
)
DELIVERY_DELAY: Final = Histogram(
    "stewardmon_delivery_delay_seconds",
    "Time from the decision to the receipt.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3600),
    registry=REGISTRY,
)
OUTBOX: Final = Gauge(
    "stewardmon_outbox_messages", "Messages that wait to be sent.", registry=REGISTRY
)
OUTBOX_AGE: Final = Gauge(
    "stewardmon_outbox_oldest_seconds", "Age of the oldest unsent message.", registry=REGISTRY
)
STORE_ERRORS: Final = Counter(
    "stewardmon_store_errors_total", "Failures to read or write the state.", registry=REGISTRY
)
STORE_HEALTHY: Final = Gauge(
    "stewardmon_store_healthy", "1 while decisions are durable, else 0.", registry=REGISTRY
)
LAST_SUCCESS: Final = Gauge(
    "stewardmon_loop_last_success_timestamp_seconds",
    "When each loop last did its work.",
    ["loop"],
    registry=REGISTRY,
)
LOOP_RESTARTS: Final = Counter(
    "stewardmon_loop_restarts_total", "Times that a loop died of a bug and was started again.",
    ["loop"],
    registry=REGISTRY,
)  # fmt: skip
RELOADS: Final = Counter(
    "stewardmon_reloads_total", "Attempts to read the configuration anew, by result.", ["result"],
    registry=REGISTRY,
)  # fmt: skip
CONFIG_VALID: Final = Gauge(
    "stewardmon_config_last_reload_successful",
    "1 when the files on disk are the ones in force, else 0.",
    registry=REGISTRY,
)
SERIES: Final = Gauge("stewardmon_series", "Series held in memory.", registry=REGISTRY)
SHED: Final = Counter(
    "stewardmon_shed_total", "Things dropped because a bound was reached, by which.", ["bound"],
    registry=REGISTRY,
)  # fmt: skip
OVERDUE: Final = Gauge(
    "stewardmon_overdue_steps", "Escalation steps and messages that are overdue and unsent.",
    registry=REGISTRY,
)  # fmt: skip
CALENDAR_FAILURES: Final = Gauge(
    "stewardmon_calendar_failures_in_a_row",
    "Attempts in a row that could not read a rotation's calendar.",
    ["rotation"],
    registry=REGISTRY,
)
JOBS: Final = Counter(
    "stewardmon_jobs_total",
    "Hours of calendar jobs that were worked off, by job and result: done, failed or died.",
    ["job", "result"],
    registry=REGISTRY,
)
TASK_OVERDUE: Final = Gauge(
    "stewardmon_task_overdue_seconds",
    "For how long a maintenance task that people have marked done before is overdue.",
    ["task"],
    registry=REGISTRY,
)
OFFLINE: Final = Gauge(
    "stewardmon_offline",
    "1 while no probe reaches anything beyond this machine, else 0.",
    registry=REGISTRY,
)
LOOP_LAG: Final = Histogram(
    "stewardmon_event_loop_lag_seconds",
    "How late the event loop runs what is due.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1),
    registry=REGISTRY,
)
SLOW_CALLBACKS: Final = Counter(
    "stewardmon_slow_callbacks_total",
    "Times that something held the event loop for so long that what was due came 50 ms late.",
    registry=REGISTRY,
)
CLOCK_OFFSET: Final = Gauge(
    "stewardmon_clock_offset_seconds",
    "How far the machine's clock was stepped away from the time that stewardmon keeps.",
    registry=REGISTRY,
)


class _Family(Metric):
    """A family whose samples are made while they are read: tens of thousands are never at once."""

    def __init__(
        self, name: str, about: str, kind: str, read: Callable[[], Iterator[Sample]]
    ) -> None:
        self._read = read
        super().__init__(name, about, kind)

    @property  # type: ignore[override]  # read once, in order: nobody asks for more of it
    def samples(self) -> Iterator[Sample]:
        return self._read()

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """Take no others: the client's own constructor sets an empty list."""


class Outcomes(Collector):
    """A counter by probe, state and reason.

    The client's own takes a kilobyte a child, and a lock at every count; all counting here is done
    on the event loop.
    """

    def __init__(self, name: str, about: str) -> None:
        self._name = name
        self._about = about
        self._held: dict[tuple[str, str, str], int] = {}

    def count(self, probe: str, state: str, reason: str) -> None:
        """Count one outcome."""
        key = (probe, state, reason)
        self._held[key] = self._held.get(key, 0) + 1

    def describe(self) -> Iterator[Metric]:
        """Yield the metric's name and help."""
        yield CounterMetricFamily(self._name, self._about)

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as Prometheus reads them."""
        yield _Family(self._name, self._about, "counter", self._samples)

    def _samples(self) -> Iterator[Sample]:
        total = f"{self._name}_total"
        for (probe, state, reason), count in list(self._held.items()):
            yield Sample(total, {"probe": probe, "state": state, "reason": reason}, float(count))


class Pauses(Collector):
    """A gauge by probe, in seconds."""

    def __init__(self, name: str, about: str) -> None:
        self._name = name
        self._about = about
        self._held: dict[str, float] = {}

    def set(self, probe: str, seconds: float) -> None:
        """Show this number."""
        self._held[probe] = seconds

    def remove(self, probe: str) -> None:
        """Show none any more."""
        self._held.pop(probe, None)

    def describe(self) -> Iterator[Metric]:
        """Yield the metric's name and help."""
        yield GaugeMetricFamily(self._name, self._about)

    def collect(self) -> Iterator[Metric]:
        """Yield the numbers as Prometheus reads them."""
        yield _Family(self._name, self._about, "gauge", self._samples)

    def _samples(self) -> Iterator[Sample]:
        for probe, seconds in list(self._held.items()):
            yield Sample(self._name, {"probe": probe}, seconds)


PROBES: Final = Outcomes(
    "stewardmon_probes", "Probes asked, by probe, state and reason of the outcome."
)
REGISTRY.register(PROBES)
PROBE_PAUSE: Final = Pauses(
    "stewardmon_probe_interval_seconds",
    "How far apart a probe's asks are now: its interval, widened by a budget or a refusal.",
)
REGISTRY.register(PROBE_PAUSE)

PHASE_LABELS: Final = ("probe", "phase")


class Phases(Collector):
    """A histogram by probe and phase, in seconds; `buckets` are upper edges, ascending.

    The client's own holds an object with a lock for every bucket: 15 KB a probe, and 17 µs an ask.
    All observations here come from the event loop, and a scrape that reads one count too few does
    no harm: no locks.
    """

    def __init__(self, name: str, about: str, *, buckets: Sequence[float]) -> None:
        self._name = name
        self._about = about
        self._edges = tuple(buckets)
        self._names = (*map(_edge, self._edges), "+Inf")
        self._width = len(self._names) + 1  # how many in each bucket, then the sum of the seconds
        self._places: dict[str, int] = {}  # of phases: all probes have the same few
        self._held: dict[str, array[float]] = {}

    def observe(self, probe: str, phases: Mapping[str, float]) -> None:
        """Count one ask's phases, in seconds."""
        held = self._held.get(probe)
        if held is None:
            held = self._held[probe] = array("d")
        for phase, seconds in phases.items():
            place = self._places.get(phase)
            if place is None:
                place = self._places[phase] = len(self._places) * self._width
            if len(held) <= place:
                held.frombytes(bytes(8 * (place + self._width - len(held))))
            held[place + bisect_left(self._edges, seconds)] += 1
            held[place + self._width - 1] += seconds

    def keep(self, probes: Iterable[str]) -> None:
        """Forget all other probes."""
        for gone in set(self._held).difference(probes):
            del self._held[gone]

    def describe(self) -> Iterator[Metric]:
        """Yield the metric's name and help."""
        yield HistogramMetricFamily(self._name, self._about, labels=PHASE_LABELS)

    def collect(self) -> Iterator[Metric]:
        """Yield the histograms as Prometheus reads them."""
        family = HistogramMetricFamily(self._name, self._about, labels=PHASE_LABELS)
        places = list(self._places.items())
        for probe, held in list(self._held.items()):
            for phase, place in places:
                *counts, total = held[place : place + self._width] or (0.0,)
                if any(counts):
                    heaped = zip(self._names, accumulate(counts), strict=True)
                    family.add_metric((probe, phase), list(heaped), total)
        yield family


def _edge(seconds: float) -> str:
    return repr(float(seconds))


PROBE_PHASES: Final = Phases(
    "stewardmon_probe_phase_seconds",
    "Time of each phase of asking: resolve, connect, tls, processing, transfer.",
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PROBE_REGISTRY.register(PROBE_PHASES)
