"""Who is asked between the ticks: what a failing probe needs, and itself, and neither too often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.engine.between import Between
from stewardmon.ports import ProbeSpec
from stewardmon.settings import Settings

UP = Outcome(state=State.UP)
DOWN = Outcome(state=State.DOWN, reason=Reason.STATUS)
FINDING = Outcome(state=State.DEGRADED, reason=Reason.FINDING)


def probe(name: str, seconds: float, *needs: str, confirm: bool = False) -> ProbeSpec:
    return ProbeSpec(
        name=name,
        kind="http",
        job=name.partition("-")[0],
        instance=name,
        interval=timedelta(seconds=seconds),
        timeout=timedelta(seconds=10),
        settings=Settings(),
        depends_on=needs,
        confirm=confirm,
    )


APP = probe("app", 15)
OPENAI = probe("openai", 60)
CHAT = probe("openai-chat", 240, "openai")
AGENT = probe("agent", 240, "app", "openai-chat", confirm=True)
STREAM = replace(AGENT, name="agent-stream")


@pytest.fixture
def between() -> Between:
    return Between([APP, OPENAI, CHAT, AGENT, STREAM])


def test_what_a_failing_probe_needs_is_asked_at_once_where_it_is_asked_rarely(
    between: Between,
) -> None:
    assert between.after(AGENT, DOWN, now=100) == {"openai": 0, "openai-chat": 0, "agent": 30}


def test_a_need_is_asked_once_a_minute_at_the_most(between: Between) -> None:
    between.after(AGENT, FINDING, now=100)
    assert between.after(STREAM, FINDING, now=159) == {}
    between.after(STREAM, UP, now=165)
    assert set(between.after(STREAM, FINDING, now=170)) == {"openai", "openai-chat"}


def test_it_is_asked_when_a_failure_begins_and_not_while_it_lasts(between: Between) -> None:
    between.after(AGENT, FINDING, now=100)
    assert between.after(AGENT, FINDING, now=340) == {}


def test_what_is_known_to_fail_is_not_asked(between: Between) -> None:
    between.after(OPENAI, FINDING, now=90)
    assert set(between.after(AGENT, FINDING, now=100)) == {"openai-chat"}


def test_a_failure_is_looked_at_three_times_within_a_minute(between: Between) -> None:
    assert between.after(OPENAI, DOWN, now=100) == {"openai": 20}
    assert between.after(OPENAI, DOWN, now=121) == {"openai": 19}
    assert between.after(OPENAI, DOWN, now=141) == {}
    assert between.after(OPENAI, UP, now=200) == {}
    assert between.after(OPENAI, DOWN, now=260) == {"openai": 20}


def test_what_is_well_again_is_left_alone(between: Between) -> None:
    between.after(OPENAI, DOWN, now=100)
    assert between.after(OPENAI, UP, now=120) == {}


def test_confirmed_asks_come_once_more_and_of_one_probe_of_a_job_a_minute(
    between: Between,
) -> None:
    assert between.after(AGENT, DOWN, now=100)["agent"] == 30
    assert "agent-stream" not in between.after(STREAM, DOWN, now=110)
    assert between.after(AGENT, DOWN, now=130) == {}


@pytest.mark.parametrize("reason", [Reason.AUTH, Reason.QUOTA, Reason.RATE_LIMIT, Reason.BUDGET])
def test_asking_again_is_futile_after_what_only_we_can_change(
    between: Between, reason: Reason
) -> None:
    assert between.after(OPENAI, replace(DOWN, reason=reason), now=100) == {}


def test_whose_cause_is_known_is_not_asked_again(between: Between) -> None:
    between.after(APP, DOWN, now=90)
    assert "agent" not in between.after(AGENT, DOWN, now=100)


@pytest.mark.parametrize("state", [State.UNKNOWN, State.MISCONFIGURED])
def test_what_says_nothing_of_its_target_sends_nobody(between: Between, state: State) -> None:
    assert between.after(AGENT, Outcome(state=state), now=100) == {}


def test_a_probe_that_needs_itself_by_way_of_others_is_no_need(between: Between) -> None:
    one, other = probe("one", 240, "other"), probe("other", 240, "one")
    between.change([one, other])
    assert between.after(one, FINDING, now=100) == {"other": 0}
