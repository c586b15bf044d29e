"""Every error that stewardmon raises on purpose.

StewardmonError
├── ConfigError        the configuration is wrong (carries every mistake at once)
├── ExpressionError    a PromQL expression or a short condition cannot be accepted
├── EvaluationError    an accepted expression failed on the data of the moment
│   └── OverdueError   it took longer than it may, and was stopped
├── StoreError         the state could not be read or written
│   └── DeposedError   another process leads: this one must neither decide nor page
├── DeliveryError      a channel could not deliver; says whether trying again can help
└── UsageError         a command was called with arguments that cannot work
"""

from __future__ import annotations

from dataclasses import dataclass


class StewardmonError(Exception):
    """The root: its text is one sentence that a person can act on."""


class ExpressionError(StewardmonError):
    """An expression that is refused; `column` is 1-based within its own text, 0 where unknown."""

    def __init__(self, message: str, *, column: int = 0) -> None:
        super().__init__(message)
        self.column = column


class EvaluationError(StewardmonError):
    """An accepted expression failed on the data of the moment; it changes no state."""


class OverdueError(EvaluationError):
    """An evaluation took longer than it may, and was stopped.

    `resumable`: windows that are kept were being filled, and the next attempt goes on from there.
    """

    def __init__(self, message: str, *, resumable: bool = False) -> None:
        super().__init__(message)
        self.resumable = resumable


class StoreError(StewardmonError):
    """The state could not be read or written."""


class DeposedError(StoreError):
    """Another process leads now: stop deciding and paging, and ask to lead again."""


class UsageError(StewardmonError):
    """A command was called with arguments that cannot work (exit code 2)."""


class DeliveryError(StewardmonError):
    """A channel could not deliver.

    `temporary` says whether trying the same contact again can help; `retry_after` is the
    receiver's own wish in seconds, where it sent one.
    """

    def __init__(self, message: str, *, temporary: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.temporary = temporary
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mistake:
    """One thing wrong in one place; lines and columns are 1-based, 0 where there is none."""

    file: str
    line: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ConfigError(StewardmonError):
    """The configuration is wrong; `mistakes` holds everything found, in file order."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes
