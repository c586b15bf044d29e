"""A page's chart: drawn where that is quick, left out where it would hold up the pages."""

from __future__ import annotations

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.notices import Facts
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.facts import FactFinder
from stewardmon.engine.pace import SLICE, Pace
from stewardmon.promql import Engine
from tests.support.virtual import VirtualClock, run_virtually

RULE = AlertRule(
    name="Slow",
    expr="sum(latency) > 5",
    group="g",
    subject="sum(latency)",
    comparison=">",
    threshold=5.0,
)


class Finding:
    """A finder of facts over one series; each look at the CPU's clock takes `step` seconds."""

    def __init__(self) -> None:
        self.step = 0.0
        self.looks = 0
        self.clock = VirtualClock()
        series = SeriesStore(retention_ms=2**50)
        series.append(Labels({NAME: "latency"}), milliseconds(self.clock.now()) - 1000, 7.0)
        pace = Pace(SLICE, self._spent)
        self.finder = FactFinder({"g/Slow": RULE}, Engine(series), self.clock, pace)
        self._cpu = 0.0

    def facts(self, *, drawn: bool = True) -> Facts:
        now = self.clock.now()
        return self.finder(
            Alert(
                rule="g/Slow",
                labels=Labels({"alertname": "Slow"}),
                origin=Labels(),
                annotations=Labels(),
                state=AlertState.FIRING,
                value=7.0,
                active_at=now,
            ),
            drawn=drawn,
        )

    def _spent(self) -> float:
        self.looks += 1
        self._cpu += self.step
        return self._cpu


async def test_a_page_has_the_course_of_its_rule() -> None:
    facts = Finding().facts()
    assert facts.course[-1] == 7.0
    assert facts.sparkline


async def test_a_page_goes_out_without_a_chart_that_takes_too_long() -> None:
    finding = Finding()
    finding.step = SLICE * 2
    facts = finding.facts()
    assert (facts.course, facts.sparkline) == ((), "")
    assert facts.value_text == "7"
    assert facts.threshold_text == "> 5"


def test_a_chart_that_took_too_long_is_not_tried_for_every_page_of_a_storm() -> None:
    run_virtually(_storm())


async def _storm() -> None:
    finding = Finding()
    finding.step = SLICE * 2
    finding.facts()
    finding.step, finding.looks = 0.0, 0
    assert finding.facts().course == ()
    assert finding.looks == 0
    await finding.clock.sleep(60)
    assert finding.facts().course
    assert finding.looks > 0


async def test_what_a_page_only_lists_is_not_drawn() -> None:
    finding = Finding()
    drawn, listed = finding.facts(), finding.facts(drawn=False)
    assert drawn.course
    assert listed.course == ()
    assert listed.value_text == drawn.value_text
    asked = finding.looks
    finding.facts(drawn=False)
    assert finding.looks == asked
