"""What the settings of every kind share: frozen, strict keys, durations, sizes and secrets.

Settings are plain dataclasses. Their annotations say what a file may hold, in markers that turn
into pydantic's own when pydantic first reads one: whoever gets settings that are read already (the
daemon, see config.apart) holds no validators, and never loads pydantic.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self

from stewardmon.domain.quantity import parse_duration
from stewardmon.errors import ExpressionError

if TYPE_CHECKING:
    from pydantic_core import CoreSchema, SchemaValidator

# pydantic looks through every installed distribution for plugins before it builds the first model:
# 15 ms of every start, and nobody else's code belongs into how a configuration is read.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Unset(Enum):
    """The default of a key for which None is a value like any other."""

    UNSET = "unset"


UNSET: Final[Any] = Unset.UNSET


class Settings:
    """The base of all settings, each a frozen dataclass; an unknown key is a mistake."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "arbitrary_types_allowed": True}

    @classmethod
    def model_validate(cls, value: Any) -> Self:
        """Return the settings that keys and values spell. Raises pydantic.ValidationError."""
        kind: Any = cls
        read: Self = _reader(kind).validate_python(value)
        return read


@cache
def _reader(kind: Any) -> SchemaValidator:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only where something is read
    from pydantic_core import SchemaValidator  # noqa: PLC0415

    # A validator of our own: TypeAdapter's takes no configuration for a dataclass, and repeats what
    # was written in its errors, be it a secret.
    return SchemaValidator(TypeAdapter(kind).core_schema, {"hide_input_in_errors": True})


def Field(  # noqa: N802 - as pydantic's, of which it has what settings need
    *,
    default: Any = dataclasses.MISSING,
    default_factory: Callable[[], Any] | None = None,
    **limits: Any,
) -> Any:
    """Return a field with an `alias` or with limits: `ge`, `max_length`, `pattern` and so on."""
    made: Any = dataclasses.MISSING if default_factory is None else default_factory
    return dataclasses.field(default=default, default_factory=made, metadata=limits)


@dataclass(frozen=True, slots=True)
class Marker:
    """Stands in an annotation for `place(*arguments)`, one of pydantic's own markers."""

    place: str
    arguments: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return self._real().__get_pydantic_core_schema__(source, handler)  # type: ignore[no-any-return]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        described = getattr(self._real(), "__get_pydantic_json_schema__", None)
        return (handler if described is None else lambda one: described(one, handler))(schema)  # type: ignore[no-any-return]

    def _real(self) -> Any:
        module, _, name = self.place.partition(":")
        return getattr(import_module(module), name)(*self.arguments)


Check = Callable[[Any], Any]


def AfterValidator(check: Check) -> Marker:  # noqa: N802 - as pydantic's
    """Return the marker of a function that gets the value once it has its type."""
    return Marker("pydantic:AfterValidator", (check,))


def BeforeValidator(check: Check) -> Marker:  # noqa: N802 - as pydantic's
    """Return the marker of a function that gets what was written."""
    return Marker("pydantic:BeforeValidator", (check,))


def PlainValidator(check: Check) -> Marker:  # noqa: N802 - as pydantic's
    """Return the marker of a function that reads what was written all by itself."""
    return Marker("pydantic:PlainValidator", (check,))


class _Bytes:
    """Reads a number of bytes, written `64MB` or `1 MiB` as well."""

    def __get_pydantic_core_schema__(self, _: Any, handler: Any) -> CoreSchema:
        from pydantic import ByteSize as Written  # noqa: PLC0415 - only where something is read
        from pydantic_core.core_schema import (  # noqa: PLC0415
            no_info_after_validator_function,
        )

        return no_info_after_validator_function(int, handler.generate_schema(Written))


class Secret:
    """Text that nothing shows by accident: no log, no page, no error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: Any) -> CoreSchema:
        from pydantic_core.core_schema import (  # noqa: PLC0415 - only where something is read
            no_info_wrap_validator_function,
            str_schema,
            to_string_ser_schema,
        )

        def read(value: Any, text: Callable[[Any], str]) -> Secret:
            return value if isinstance(value, cls) else cls(text(value))

        return no_info_wrap_validator_function(
            read, str_schema(), serialization=to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: Any) -> dict[str, Any]:
        return {"type": "string", "writeOnly": True, "format": "password"}


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
ByteSize = Annotated[int, _Bytes()]
FilePath = Annotated[Path, Marker("pydantic.types:PathType", ("file",))]
DirectoryPath = Annotated[Path, Marker("pydantic.types:PathType", ("dir",))]
