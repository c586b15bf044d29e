"""What a question of a check-list is given, and what it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from stewardmon.config.interpolation import Missing, lookup
from stewardmon.domain.outcome import Outcome, State
from stewardmon.ports import Context
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask

TIMEOUT: Final = 7.0  # seconds for any one question: the whole must end within ten
IDLE: Final = timedelta(seconds=2)
TOLD: Final = 12  # findings of one probe that become lines

# What the database refuses or blocks ("could not be checked") is at fault; what is absent, unseen.
_UNSEEN: Final = (" was not checked: ", " was not seen: ")


class Verdict(StrEnum):
    """What became of one check."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: the check-list, the check, the verdict, and why."""

    list: str
    check: str
    verdict: Verdict
    detail: str


Found = tuple[str, Verdict, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What all questions of one run share.

    `idle` is how long a session may sit in an open transaction: it holds its locks meanwhile.
    """

    environ: Mapping[str, str]
    shared: Context
    version: str = ""
    timeout: float = TIMEOUT
    idle: timedelta = IDLE
    _answers: dict[Question, list[Found]] = field(default_factory=dict, repr=False)
    _asking: dict[Question, asyncio.Lock] = field(default_factory=dict, repr=False)

    async def answer(self, question: Question) -> list[Found]:
        """Return what a question finds; it is asked once, however many want to know."""
        async with self._asking.setdefault(question, asyncio.Lock()):
            if question not in self._answers:
                self._answers[question] = await question(self)
        return self._answers[question]

    def value(self, name: str) -> str | None:
        """Return a variable's value, from its file where it names one."""
        try:
            return lookup(name, self.environ)
        except Missing:
            return None

    async def probe(self, kind: str, **settings: Any) -> Outcome | str:
        """Ask a probe once; a sentence where its settings cannot be right."""
        return await self._asked(kind, settings)

    async def probe_again(
        self, kind: str, waits: Sequence[timedelta], **settings: Any
    ) -> Outcome | str:
        """Ask a probe, and as long as all is well, after each of the waits: what it says last."""
        return await self._asked(kind, settings, waits)

    async def _asked(
        self, kind: str, settings: Mapping[str, Any], waits: Sequence[timedelta] = ()
    ) -> Outcome | str:
        found = KINDS[kind]
        try:
            model = found.settings.model_validate(settings)
        except ValidationError as error:
            return sentence(error)
        probe = found.make(model, self.shared)
        try:
            outcome = await ask(probe, timeout=self.timeout)
            for wait in waits:
                if not outcome.success:
                    break
                await self.shared.clock.sleep(wait.total_seconds())
                outcome = await ask(probe, timeout=self.timeout)
            return outcome
        finally:
            await probe.close()


Question = Callable[[Flight], Awaitable[list[Found]]]


def sentence(error: ValidationError) -> str:
    """Return the first thing that is wrong with settings, without the value."""
    return str(error.errors(include_input=False)[0]["msg"]).removeprefix("Value error, ")


def line(check: str, outcome: Outcome | str) -> Found:
    """Return what an outcome says of one check."""
    if isinstance(outcome, str):
        return check, Verdict.FAIL, outcome
    if outcome.success:
        return check, Verdict.PASS, outcome.detail
    verdict = Verdict.UNKNOWN if outcome.state is State.UNKNOWN else Verdict.FAIL
    return check, verdict, f"{outcome.reason.value}: {outcome.detail}"


def each(check: str, outcome: Outcome | str) -> Iterator[Found]:
    """Yield a line a finding; those that say what could not be seen are unknown."""
    if isinstance(outcome, str) or outcome.success or not outcome.findings:
        yield line(check, outcome)
        return
    for text in outcome.findings[:TOLD]:
        unseen = any(words in text for words in _UNSEEN)
        yield check, Verdict.UNKNOWN if unseen else Verdict.FAIL, text


def unset(check: str, *names: str) -> list[Found]:
    """Say which variables it takes to have something checked."""
    return [(check, Verdict.UNKNOWN, f"set {' and '.join(names)} to have it checked")]


def number(outcome: Outcome | str, name: str) -> float | None:
    """Return one figure that a probe measured, None where it did not."""
    if isinstance(outcome, str):
        return None
    return next((one.value for one in outcome.measurements if one.name == name), None)


def within(check: str, took: float | None, limit: float) -> list[Found]:
    """Judge a time by its benchmark; both are seconds."""
    if took is None:
        return [(check, Verdict.UNKNOWN, "there was no answer to measure")]
    said = f"{took * 1000:.0f} ms, at most {limit * 1000:.0f} ms wanted"
    return [(check, Verdict.PASS if took <= limit else Verdict.FAIL, said)]
