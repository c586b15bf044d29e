"""Whether it is our own line that is cut, judged from what all probes say."""

from __future__ import annotations

import pytest

from stewardmon.domain.inhibition import Watched
from stewardmon.domain.labels import Labels
from stewardmon.domain.offline import Connectivity, Outside, judge
from stewardmon.domain.outcome import Outcome, Reason, State

UP = Outcome(state=State.UP)
DNS = Outcome(state=State.DOWN, reason=Reason.DNS)
UNREACHABLE = Outcome(state=State.DOWN, reason=Reason.UNREACHABLE)
REFUSED = Outcome(state=State.DOWN, reason=Reason.REFUSED)
NO_CONNECTION = Outcome(state=State.DOWN, reason=Reason.TIMEOUT, phases={"resolve": 0.1})
HUNG = Outcome(state=State.DOWN, reason=Reason.TIMEOUT, phases={"connect": 0.1, "processing": 5})


def watched(**instances: str) -> list[Watched]:
    return [Watched(name=name, job=name, instance=where) for name, where in instances.items()]


def judged(probes: list[Watched], outcomes: dict[str, Outcome]) -> Connectivity:
    return judge(Outside.of(probes), outcomes.get)


TWO = watched(app="https://app.example/health", db="db.example:5432")


@pytest.mark.parametrize(
    ("app", "database", "offline"),
    [
        (DNS, UNREACHABLE, True),
        (NO_CONNECTION, DNS, True),
        (UP, DNS, False),
        (REFUSED, DNS, False),
        (HUNG, HUNG, False),
    ],
)
def test_offline_is_when_nothing_beyond_us_is_reached(
    app: Outcome, database: Outcome, offline: bool
) -> None:
    assert judged(TWO, {"app": app, "db": database}).offline is offline


def test_one_host_is_too_few_to_doubt_ourselves() -> None:
    same = watched(app="https://app.example/a", api="https://app.example/b")
    assert not judged(same, {"app": DNS, "api": DNS}).offline


def test_a_probe_that_was_not_asked_leaves_the_question_open() -> None:
    assert not judged(TWO, {"app": DNS}).offline


def test_what_is_on_this_machine_does_not_count() -> None:
    here = [*TWO, *watched(proxy="http://127.0.0.1:8080/", cache="[::1]:6379", own="localhost:1")]
    found = judged(here, {"app": DNS, "db": DNS, "proxy": UP, "cache": UP, "own": UP})
    assert found.offline
    assert found.concerns(Labels({"probe": "app", "job": "app"}))
    assert found.concerns(Labels({"job": "db"}))
    assert not found.concerns(Labels({"probe": "proxy", "job": "proxy"}))
    assert not found.concerns(Labels({"job": "cache"}))
