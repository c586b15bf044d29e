"""Where a tree came from, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass

from stewardmon.config.nodes import Node, Place, scalars
from stewardmon.config.notes import Notes
from stewardmon.config.shipped import ENVIRONMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that a tree came from, and where what is wrong with it is written down."""

    file: str
    lines: tuple[str, ...]
    notes: Notes

    def add(self, place: Place, message: str) -> None:
        """Note a mistake at a place of this file."""
        self.notes.add(self.file, place, message)

    def warn(self, place: Place, message: str) -> None:
        """Note a warning at a place of this file."""
        self.notes.warn(self.file, place, message)

    def at(self, place: Place) -> str:
        """Return `file:line`, the source that rules and specs carry."""
        return self.file if self.file == ENVIRONMENT else f"{self.file}:{place.line}"


def secrets_of(node: Node) -> dict[str, str]:
    """Return what the environment put anywhere under the node."""
    return {name: value for one in scalars(node) for name, value in one.secrets.items()}


def refused(node: Node) -> bool:
    """Say whether a mistake in the value was said already: a variable not set, a placeholder."""
    return any(one.refused for one in scalars(node))
