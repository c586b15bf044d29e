"""How far one ask has come: what is still known of it when a timeout cuts it off."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from time import perf_counter
from typing import Final

from stewardmon.domain.outcome import Measurement

HTTP_PHASES: Final = "probe_http_duration_seconds"  # blackbox_exporter's name


class Progress:
    """The phases of one ask, in seconds, and what may be said even if it gets no further.

    `series` is the name under which the phases are measured. A phase that is entered twice
    (redirects) adds up, as in blackbox_exporter.
    """

    __slots__ = ("_known", "_series", "_since", "phase", "phases")

    def __init__(self, *known: Measurement, series: str = HTTP_PHASES) -> None:
        self.phases: dict[str, float] = {}
        self.phase = ""
        self._known = known
        self._series = series
        self._since = 0.0

    @property
    def known(self) -> tuple[Measurement, ...]:
        """Return what may be said of this ask, whatever becomes of it."""
        return self._known

    def note(self, *measurements: Measurement) -> None:
        """Know these from now on, in the place of what was known of the same series."""
        fresh = {(one.name, tuple(one.labels.items())) for one in measurements}
        kept = [one for one in self._known if (one.name, tuple(one.labels.items())) not in fresh]
        self._known = (*kept, *measurements)

    def unsay(self, name: str) -> None:
        """Know no more of the series of that name."""
        self._known = tuple(one for one in self._known if one.name != name)

    def enter(self, phase: str) -> None:
        """Close the phase that was running, if any, and start the next."""
        now = perf_counter()
        if self.phase:
            self.phases[self.phase] = self.phases.get(self.phase, 0.0) + now - self._since
        self.phase = phase
        self._since = now

    def leave(self) -> None:
        """Close the phase that is running, if any: nothing is being waited for."""
        self.enter("")

    def cut(self) -> dict[str, float]:
        """Return the phases so far, the running one up to this moment included."""
        phases = dict(self.phases)
        if self.phase:
            phases[self.phase] = phases.get(self.phase, 0.0) + perf_counter() - self._since
        return phases

    def timed(self) -> list[Measurement]:
        """Return the phases so far as measurements."""
        series = self._series
        return [Measurement(series, took, _labelled(name)) for name, took in self.cut().items()]

    def measurements(self) -> tuple[Measurement, ...]:
        """Return all that may be said of an ask that gets no further than this."""
        return (*self._known, *self.timed())


@cache
def _labelled(phase: str) -> Mapping[str, str]:
    """Return the labels of a phase's measurement, the same object every time: phases are few."""
    return {"phase": phase}
