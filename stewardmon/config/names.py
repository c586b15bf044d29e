"""What probes, people and labels may be called."""

from __future__ import annotations

import re
from typing import Final

LONGEST_NAME: Final = 63
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def misnamed(name: str, what: str) -> str | None:
    """Return what is wrong with a name that appears in addresses and labels, None if nothing."""
    if len(name) > LONGEST_NAME:
        return f"the {what}'s name is {len(name)} characters long: {LONGEST_NAME} are the most"
    if not _NAME.fullmatch(name):
        return (
            f"{name!r} cannot name a {what}: letters, digits, `_`, `.` and `-` can, "
            "beginning with a letter or digit"
        )
    return None


def mislabelled(name: str) -> str | None:
    """Return what is wrong with a label's name, None if nothing."""
    if not _LABEL.fullmatch(name):
        return f"{name!r} cannot name a label: letters, digits and `_` can, no digit first"
    if name.startswith("__"):
        return f"{name!r} cannot name a label: names that begin with __ are Prometheus' own"
    return None
