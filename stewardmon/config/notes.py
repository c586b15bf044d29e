"""What is wrong, collected: every mistake and every warning of all files, none said twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from stewardmon.config.nodes import Place
from stewardmon.config.shipped import ENVIRONMENT
from stewardmon.errors import ConfigError, Mistake


@dataclass(slots=True)
class Notes:
    """Mistakes refuse the configuration, warnings are shown and do not."""

    mistakes: dict[Mistake, None] = field(default_factory=dict)
    warned: dict[Mistake, None] = field(default_factory=dict)

    def add(self, file: str, place: Place | None, message: str) -> None:
        """Write down a mistake."""
        self.mistakes[_at(file, place, message)] = None

    def warn(self, file: str, place: Place | None, message: str) -> None:
        """Write down a warning."""
        self.warned[_at(file, place, message)] = None

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings in file order."""
        return tuple(str(warning) for warning in sorted(self.warned))

    def check(self) -> None:
        """Raise ConfigError with all mistakes in file order, where there are any."""
        if self.mistakes:
            raise ConfigError(tuple(sorted(self.mistakes)))


def _at(file: str, place: Place | None, message: str) -> Mistake:
    line, column = (0, 0) if place is None or file == ENVIRONMENT else place
    return Mistake(file=file, line=line, column=column, message=message)
