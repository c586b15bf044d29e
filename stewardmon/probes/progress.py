"""How far one ask has come: what is still known of it when a timeout cuts it off."""

from __future__ import annotations

from time import perf_counter

from stewardmon.domain.outcome import Measurement


class Progress:
    """The phases of one ask, in seconds, and what may be said even if it gets no further.

    A phase that is entered twice (redirects) adds up, as in blackbox_exporter.
    """

    __slots__ = ("_since", "measurements", "phase", "phases")

    def __init__(self, *measurements: Measurement) -> None:
        self.phases: dict[str, float] = {}
        self.measurements = measurements
        self.phase = ""
        self._since = 0.0

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
