"""Which of the known names somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def alike(written: str, known: Iterable[str], *, most: int = 1) -> list[str]:
    """Return the known names that are most like what was written, nearest first; none may be."""
    import difflib  # noqa: PLC0415 - only mistakes need it, and a daemon at rest makes none

    return difflib.get_close_matches(written[:100], list(known), n=most, cutoff=0.6)
