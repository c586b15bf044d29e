"""Matchers as Alertmanager writes them: `severity=~"warn.*"`, and mappings of label to value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.matching import read_matchers

__all__ = ["equalities", "read_matchers"]


def equalities(wanted: Mapping[str, str | Sequence[str]]) -> tuple[Matcher, ...]:
    """Return matchers for label to value, to one of several values, or to `/regular expression/`.

    Raises ExpressionError for a regular expression that is not RE2.
    """
    return tuple(_equality(name, value) for name, value in wanted.items())


def _equality(name: str, value: str | Sequence[str]) -> Matcher:
    if isinstance(value, str):
        if len(value) > 1 and value.startswith("/") and value.endswith("/"):
            return Matcher(name, Op.MATCHES, value[1:-1])
        return Matcher(name, Op.EQUAL, value)
    return Matcher(name, Op.MATCHES, "|".join(re.escape(one) for one in value))
