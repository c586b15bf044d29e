"""The rules that come with stewardmon: beside the code in the wheel, above it in the tree."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PROBES: Final = "probes.yml"
ALERTS: Final = "alerts.yml"
ONCALL: Final = "oncall.yml"
ENVIRONMENT: Final = "environment"  # what messages call the file that is none

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def shipped() -> Path:
    """Return the folder of the rules that hold where the operator has none."""
    installed = _PACKAGE / "rules"
    return installed if installed.is_dir() else _PACKAGE.parent / "rules"
