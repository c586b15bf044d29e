"""What every settings model shares: strict keys, durations, sizes and secrets."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from stewardmon.domain.quantity import parse_duration
from stewardmon.errors import ExpressionError

# pydantic looks through every installed distribution for plugins before it builds the first model:
# 15 ms of every start, and nobody else's code belongs into how a configuration is read.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Settings(BaseModel):
    """The base of every settings model: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        defer_build=True,  # a model inside another one needs no validator of its own
    )


def _duration(value: Any) -> Any:
    if isinstance(value, int | float):
        value = str(value)  # pydantic would take a bare number for seconds: it has no unit
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except ExpressionError as error:
        raise ValueError(str(error)) from None


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Secret = SecretStr
