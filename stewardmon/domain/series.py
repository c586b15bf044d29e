"""Series and the head that holds them: what is known of the recent past, in memory.

A series keeps two columns, times (milliseconds) and values, in time order. Series that are always
written together, a probe's, share the first one. The head indexes series by label, so that a
selector touches only what can match. Both are bounded: by age (as far back as any loaded rule looks
at the metric) and by count.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stewardmon.domain.labels import NAME, Labels, Matcher, Op

STALE_BITS: Final = 0x7FF0000000000002
"""Prometheus' value of a series that ended: a NaN that no arithmetic produces."""

STALE: Final[float] = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
_STALE_BYTES: Final = struct.pack("<Q", STALE_BITS)
_TRIM_AT_LEAST: Final = 4
"""Columns are cut in steps, because cutting the front of an array moves the rest."""

_TRIMMED_AT_ONCE: Final = 2000
"""Series that are looked at in one step: about a millisecond."""

DEFAULT_RETENTION_MS: Final = 6 * 60_000
DEFAULT_MAX_SERIES: Final = 200_000


def is_stale(value: float) -> bool:
    """Say whether the value is the stale marker (an ordinary NaN is not)."""
    return value != value and struct.pack("<d", value) == _STALE_BYTES


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading: Unix time in milliseconds and a value."""

    at_ms: int
    value: float


class Series:
    """One label set and its readings, oldest first.

    `base` counts the readings cut from the front so far: `base + index` names a reading for as
    long as it is held, which is how rolling windows keep their place across a cut.
    """

    __slots__ = ("base", "dropped", "labels", "shared", "times", "values")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.shared: SharedTimes | None = None
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")
        self.base = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"Series({self.labels!r}, {len(self.times)} samples)"

    def append(self, at_ms: int, value: float) -> bool:
        """Add a reading; one that is not newer than the last is dropped and counted."""
        self.leave()
        times = self.times
        if times and at_ms <= times[-1]:
            self.dropped += 1
            return False
        times.append(at_ms)
        self.values.append(value)
        return True

    def extend(self, times: array[int], values: array[float]) -> None:
        """Add readings in order of time; those that are not newer than the last are dropped."""
        self.leave()
        if not self.times or (len(times) and times[0] > self.times[-1]):
            self.times.extend(times)
            self.values.extend(values)
            return
        for at_ms, value in zip(times, values, strict=True):
            self.append(at_ms, value)

    def prepend(self, points: Sequence[tuple[int, float]]) -> int:
        """Put readings (ascending) before those held; return how many are older and were taken."""
        self.leave()
        first = self.times[0] if self.times else None
        older = [point for point in points if first is None or point[0] < first]
        self.times[:0] = array("q", (at_ms for at_ms, _ in older))
        self.values[:0] = array("d", (value for _, value in older))
        self.base -= len(older)
        return len(older)

    def trim(self, before_ms: int) -> int:
        """Forget readings up to an instant, also of those that share its times; return how many."""
        gone = bisect_right(self.times, before_ms)
        if not gone:
            return 0
        del self.times[:gone]
        members = (self,) if self.shared is None else self.shared.members
        for one in members:
            del one.values[:gone]
            one.base += gone
        return gone * len(members)

    def leave(self) -> None:
        """Have times of its own from now on."""
        if self.shared is not None:
            self.shared.members.remove(self)
            self.shared = None
            self.times = self.times[:]

    def last(self) -> Sample | None:
        """Return the newest reading, None where there is none."""
        return Sample(self.times[-1], self.values[-1]) if self.times else None


class SharedTimes:
    """Series with one column of times: half of what they take, for they are many and alike.

    `labelled` is the list with which they are written, and by which they are known to be together
    still; `held_ms` for how long all of them are kept.
    """

    __slots__ = ("held_ms", "labelled", "members")

    def __init__(self, members: list[Series], labelled: Sequence[Labels], *, held_ms: int) -> None:
        self.members = members
        self.labelled = labelled
        self.held_ms = held_ms
        for one in members:
            one.shared = self
            one.times = members[0].times

    def dissolve(self) -> None:
        """Give each its own times."""
        for one in self.members[:]:
            one.leave()


class SeriesStore:
    """The head: every series by its labels, with an index by label name and value.

    `versions` tells a cached selection whether it still holds: `version(name)` changes whenever a
    series of that metric name comes or goes (`version("")`: any series). `longer` names the
    metrics that are kept for longer than `retention_ms`, in milliseconds: a rule that looks three
    days back at one metric must not make all the others be held for three days.
    """

    def __init__(
        self,
        *,
        retention_ms: int = DEFAULT_RETENTION_MS,
        max_series: int = DEFAULT_MAX_SERIES,
    ) -> None:
        self.retention_ms = retention_ms
        self.longer: Mapping[str, int] = {}
        self.max_series = max_series
        self.shed = 0
        self._dropped = 0
        self._series: dict[Labels, Series] = {}
        self._index: dict[str, dict[str, list[Series]]] = {}
        self._versions: dict[str, int] = {}
        self._overflow = Series(Labels())

    def __len__(self) -> int:
        return len(self._series)

    @property
    def series_count(self) -> int:
        """How many series are held."""
        return len(self._series)

    @property
    def sample_count(self) -> int:
        """How many readings are held, over all series."""
        return sum(len(series.times) for series in self._series.values())

    @property
    def dropped(self) -> int:
        """How many readings came late or twice and were dropped."""
        return self._dropped + sum(series.dropped for series in self._series.values())

    def held_ms(self, name: str) -> int:
        """Return for how long readings of that metric are kept (of "": of any metric)."""
        return max(self.retention_ms, self.longer.get(name, 0))

    def version(self, name: str = "") -> int:
        """Return a number that changes when series of that metric name come or go."""
        return self._versions.get(name, 0)

    def holds(self, name: str) -> bool:
        """Say whether there is a series of that metric name."""
        return name in self._index.get(NAME, {})

    def handle(self, labels: Labels) -> Series:
        """Return the series of the labels, made at need, for repeated appends.

        A handle stays good while its series is appended to; one whose series was trimmed away as
        ended must be asked for again (`current`). Past `max_series`, a series that is not kept.
        """
        found = self._series.get(labels)
        return found if found is not None else self._add(labels)

    def current(self, series: Series) -> bool:
        """Say whether the handle still belongs to the head."""
        return self._series.get(series.labels) is series

    def append(self, labels: Labels, at_ms: int, value: float) -> bool:
        """Add a reading to the series of the labels; say whether it was kept."""
        series = self._series.get(labels)
        if series is None:
            series = self._add(labels)
            if series is self._overflow:
                return False
        return series.append(at_ms, value)

    def append_all(self, labelled: Sequence[Labels], at_ms: int, values: Sequence[float]) -> None:
        """Add a reading of one instant to each of many series."""
        if len(labelled) != len(values):
            raise ValueError(f"{len(labelled)} series and {len(values)} values")
        known = self._series
        for labels, value in zip(labelled, values, strict=True):
            series = known.get(labels) or self._add(labels)
            shared = series.shared
            if shared is not None and shared.labelled is not labelled:
                shared.dissolve()
                shared = None
            times = series.times
            if shared is None or len(times) == len(series.values):  # the first of them
                if times and at_ms <= times[-1]:
                    series.dropped += 1
                    continue
                times.append(at_ms)
            series.values.append(value)

    def bind(self, labelled: Sequence[Labels]) -> None:
        """Let series share their times where these are equal: `append_all` gets this very list.

        As soon as one of them is written otherwise, it goes its own way again.
        """
        alike: dict[tuple[int, bytes], list[Series]] = {}
        for labels in dict.fromkeys(labelled):
            series = self._series.get(labels)
            if series is not None:
                series.leave()
                place = self.held_ms(labels.value(NAME)), series.times.tobytes()
                alike.setdefault(place, []).append(series)
        for (held_ms, _), members in alike.items():
            if len(members) > 1:
                SharedTimes(members, labelled, held_ms=held_ms)

    def mark_stale(self, labels: Labels, at_ms: int) -> None:
        """End the series: from this instant on, selectors no longer see it."""
        series = self._series.get(labels)
        if series is not None and series.values and not is_stale(series.values[-1]):
            series.append(at_ms, STALE)

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Return the series that meet every matcher, in the order in which they came."""
        fewest = self._candidates(matchers)
        rest: list[tuple[Matcher, dict[str, bool]]] = [(matcher, {}) for matcher in matchers]
        if not rest:
            return list(fewest)
        return [
            series
            for series in fewest
            if all(_accepts(matcher, series.labels, known) for matcher, known in rest)
        ]

    def trim(self, now_ms: int) -> int:
        """Forget what is older than the retention; drop ended series; return readings gone."""
        return sum(self.trimming(now_ms))

    def trimming(self, now_ms: int) -> Iterator[int]:
        """Do the same step by step, and yield the readings that went: others get their turn."""
        for name, held in self._by_name():
            gone = 0
            before = now_ms - self.held_ms(name)
            ended: list[Series] = []
            for count, series in enumerate(held, 1):
                times = series.times
                if not times or times[-1] <= before:
                    ended.append(series)
                elif times[0] <= before and _worth_cutting(times, before):
                    if series.shared is not None and not self._kept_alike(series.shared):
                        series.shared.dissolve()
                    gone += series.trim(before)
                if not count % _TRIMMED_AT_ONCE:
                    yield gone
                    gone = 0
            gone += self._end([one for one in ended if not one.times or one.times[-1] <= before])
            yield gone

    def label_names(self) -> list[str]:
        """Return every label name in use, sorted."""
        return sorted(name for name, values in self._index.items() if values)

    def label_values(self, name: str) -> list[str]:
        """Return every value of the label in use, sorted."""
        return sorted(self._index.get(name, ()))

    def _add(self, labels: Labels) -> Series:
        if len(self._series) >= self.max_series:
            self.shed += 1
            self._overflow = Series(Labels())
            return self._overflow
        series = Series(labels)
        self._series[labels] = series
        for name, value in labels.pairs:
            self._index.setdefault(name, {}).setdefault(value, []).append(series)
        self._changed(labels)
        return series

    def _kept_alike(self, shared: SharedTimes) -> bool:
        """Say whether all are still kept equally long: what looks back may have changed."""
        return all(self.held_ms(one.labels.value(NAME)) == shared.held_ms for one in shared.members)

    def _by_name(self) -> Iterator[tuple[str, Sequence[Series]]]:
        """Yield the series of each metric as they stand when its turn comes."""
        names = self._index.get(NAME, {})
        for name in list(names):
            yield name, tuple(names.get(name, ()))
        if sum(map(len, names.values())) < len(self._series):
            yield "", [one for one in self._series.values() if not one.labels.value(NAME)]

    def _end(self, ended: Sequence[Series]) -> int:
        """Drop series; return how many readings went with them."""
        gone = frozenset(map(id, ended))
        for pair in {pair for series in ended for pair in series.labels.pairs}:
            name, value = pair
            left = [one for one in self._index[name][value] if id(one) not in gone]
            if left:
                self._index[name][value] = left
                continue
            del self._index[name][value]
            if not self._index[name]:
                del self._index[name]
        for series in ended:
            self._dropped += series.dropped
            series.leave()
            del self._series[series.labels]
            self._changed(series.labels)
        return sum(len(series.times) for series in ended)

    def _changed(self, labels: Labels) -> None:
        versions = self._versions
        versions[""] = versions.get("", 0) + 1
        name = labels.value(NAME)
        if name:
            versions[name] = versions.get(name, 0) + 1

    def _candidates(self, matchers: Sequence[Matcher]) -> Collection[Series]:
        """Return the smallest indexed set that holds every match."""
        sets = [
            self._index.get(matcher.name, {}).get(matcher.text, ())
            for matcher in matchers
            if _indexed(matcher)
        ]
        return min(sets, key=len) if sets else self._series.values()


def _indexed(matcher: Matcher) -> bool:
    """Say whether the index alone answers the matcher: equality with a value that is there."""
    return matcher.op is Op.EQUAL and matcher.text != ""


def _accepts(matcher: Matcher, labels: Labels, known: dict[str, bool]) -> bool:
    """Say whether the labels meet the matcher; each value is asked about once (`known`)."""
    value = labels.value(matcher.name)
    accepted = known.get(value)
    if accepted is None:
        accepted = known[value] = matcher.accepts(value)
    return accepted


def _worth_cutting(times: array[int], before: int) -> bool:
    step = max(_TRIM_AT_LEAST, len(times) // 8)
    return len(times) > step and times[step - 1] <= before
