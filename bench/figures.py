"""What a benchmark found: named numbers with their unit and, where there is one, their bound."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; good is at most `most`, at least `least`."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def good(self) -> bool:
        """Say whether it is within its bounds."""
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    @property
    def bound(self) -> str:
        """Return the bound in words, empty where there is none."""
        if self.most is not None:
            return f"at most {number(self.most)}"
        return "" if self.least is None else f"at least {number(self.least)}"

    def __str__(self) -> str:
        mark = "" if self.good else "  OUT OF BOUNDS"
        bound = f"  ({self.bound})" if self.bound else ""
        return f"{self.name:<58}{number(self.value):>10} {self.unit}{bound}{mark}"


def number(value: float) -> str:
    """Return a number with the digits that it is good for."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(found: Sequence[Figure], path: Path | None, *, bounds: bool = True) -> int:
    """Print the figures, and write them for `python -m bench`; return the exit code."""
    for figure in found:
        print(figure)
    if path is not None:
        path.write_text(json.dumps([asdict(one) for one in found]))
    return 1 if bounds and not all(one.good for one in found) else 0


def read(path: Path) -> list[Figure]:
    """Return the figures that a benchmark wrote."""
    rows: list[Mapping[str, Any]] = json.loads(path.read_text())
    return [Figure(**row) for row in rows]
