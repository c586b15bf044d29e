"""The ordinary imperfection of a healthy platform."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Noise:
    """The ordinary imperfection of a healthy platform, drawn from a seeded source."""

    slow_share: float = 0.02
    failed_share: float = 0.005
    slow_seconds: float = 2.5
    seed: int = 1
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def slow(self) -> bool:
        """Tell whether this request is a slow one."""
        return self._chance.random() < self.slow_share

    def failed(self) -> bool:
        """Tell whether this request fails."""
        return self._chance.random() < self.failed_share
