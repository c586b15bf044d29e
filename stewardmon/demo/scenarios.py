"""Incidents to play on the simulated platform: what breaks when, and what should follow.

Times are simulated seconds since the scenario began; whoever plays one divides them by the speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from stewardmon.demo.catalogue import Fault, FaultSpec, list_faults
from stewardmon.errors import UsageError

if TYPE_CHECKING:
    from stewardmon.demo.platform import Platform

DEFAULT: Final = "outage"
GOOD_VERSION: Final = "1.4.2"
BAD_VERSION: Final = "1.5.0"


class Action(StrEnum):
    """What a step does."""

    ON = "on"
    OFF = "off"
    DEPLOY = "deploy"
    ACKNOWLEDGE = "acknowledge"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens: to a fault, a version, or by a person (for ACKNOWLEDGE).

    `says` tells a reader what happens and what to expect of stewardmon; a WATCH step only says.
    """

    at: timedelta
    action: Action
    subject: str = ""
    says: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story: its steps in order of time; it is over at `length`."""

    name: str
    about: str
    steps: tuple[Step, ...]
    length: timedelta


async def perform(step: Step, platform: Platform) -> bool:
    """Do to the platform what the step says; False where a person must act, or nobody."""
    match step.action:
        case Action.ON:
            await platform.faults.on(step.subject, **step.numbers)
        case Action.OFF:
            await platform.faults.off(step.subject)
        case Action.DEPLOY:
            platform.deploy(step.subject)
        case Action.ACKNOWLEDGE | Action.WATCH:
            return False
        case _:
            assert_never(step.action)
    return True


def list_scenarios() -> tuple[Scenario, ...]:
    """Return the stories, then one scenario for each fault, named after it."""
    return (*_STORIES, *(_of_fault(spec) for spec in list_faults()))


def scenario_named(name: str) -> Scenario:
    """Return the scenario of that name; raise UsageError."""
    for scenario in list_scenarios():
        if scenario.name == name:
            return scenario
    stories = ", ".join(story.name for story in _STORIES)
    raise UsageError(
        f"there is no scenario {name!r}: try {stories}, or any fault; `--scenario list` shows all"
    )


def _step(minutes: float, action: Action, subject: str, says: str, **numbers: float) -> Step:
    at = timedelta(minutes=minutes)
    return Step(at=at, action=action, subject=subject, says=says, numbers=numbers)


def _of_fault(spec: FaultSpec) -> Scenario:
    return Scenario(
        name=spec.name,
        about=f"{spec.about} ({spec.area}), for ten minutes",
        steps=(
            _step(1, Action.ON, spec.name, f"{spec.name}: {spec.about}"),
            _step(11, Action.OFF, spec.name, f"{spec.name} is over: what it fired resolves"),
        ),
        length=timedelta(minutes=20),
    )


_STORIES: Final = (
    Scenario(
        name=DEFAULT,
        about="the database dies, level 1 sleeps, level 2 answers, the database returns",
        steps=(
            _step(1, Action.ON, Fault.DATABASE_DOWN, "PostgreSQL stops; level 1 is paged in 1 m"),
            _step(31, Action.WATCH, "", "nobody has answered: level 2 is due 30 m after opening"),
            _step(40, Action.ACKNOWLEDGE, "senior", "the senior answers: the matrix stops"),
            _step(50, Action.OFF, Fault.DATABASE_DOWN, "PostgreSQL starts; the recovery is told"),
        ),
        length=timedelta(minutes=60),
    ),
    Scenario(
        name="ai-key-revoked",
        about="the AI vendor's key is revoked: retrying is useless, its owner is paged",
        steps=(
            _step(1, Action.ON, Fault.OPENAI_KEY, "401 invalid_api_key: class key, level 1"),
            _step(8, Action.ACKNOWLEDGE, "dev-a", "the owner answers and makes a new key"),
            _step(20, Action.OFF, Fault.OPENAI_KEY, "the new key works: resolved"),
        ),
        length=timedelta(minutes=30),
    ),
    Scenario(
        name="bad-deploy",
        about="a version that fails a third of its requests goes live, and is rolled back",
        steps=(
            _step(1, Action.DEPLOY, BAD_VERSION, f"{BAD_VERSION} goes live: a deploy marker"),
            _step(1, Action.ON, Fault.APP_ERROR_SHARE, "a third of all requests fails", share=0.33),
            _step(6, Action.WATCH, "", "five minutes above 5 %: High Error Rate fires"),
            _step(10, Action.ACKNOWLEDGE, "dev-a", "the on-call developer answers"),
            _step(20, Action.DEPLOY, GOOD_VERSION, f"rollback to {GOOD_VERSION}: a second marker"),
            _step(20, Action.OFF, Fault.APP_ERROR_SHARE, "no more errors: it resolves as they age"),
        ),
        length=timedelta(minutes=40),
    ),
    Scenario(
        name="storm",
        about="several things fail at once: one page for each cause, not for each symptom",
        steps=(
            _step(1, Action.ON, Fault.DATABASE_DOWN, "the database stops: the app reports it too"),
            _step(2, Action.ON, Fault.OPENAI_PROVIDER, "the AI vendor answers 500"),
            _step(2, Action.ON, Fault.OPENAI_INCIDENT, "its status page says so: annotated"),
            _step(3, Action.ON, Fault.APP_SLOW, "the app grows slow: a symptom", seconds=3),
            _step(4, Action.ON, Fault.CERTIFICATE_EXPIRING, "and the certificate runs out soon"),
            _step(12, Action.ACKNOWLEDGE, "dev-a", "the on-call developer answers"),
            _step(20, Action.OFF, Fault.DATABASE_DOWN, "the database returns"),
            _step(24, Action.OFF, Fault.APP_SLOW, "the app recovers"),
            _step(30, Action.OFF, Fault.OPENAI_PROVIDER, "the vendor recovers"),
            _step(32, Action.OFF, Fault.OPENAI_INCIDENT, "its incident is closed"),
            _step(35, Action.OFF, Fault.CERTIFICATE_EXPIRING, "the certificate is renewed"),
        ),
        length=timedelta(minutes=50),
    ),
)
