"""What a template consists of once it is read; `str` of a node is Go's spelling, for errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stewardmon.domain.template.printf import quote
from stewardmon.domain.template.values import Value


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`: the value at hand."""

    at: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, string, bool, character or nil as written in `text`."""

    at: int
    value: Value
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b`: fields of the value at hand."""

    at: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "." + ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x` or `$x.a.b`; the plain `$` is what the template was given."""

    at: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name."""

    at: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).a.b` or `name.a`: fields of a computed value."""

    at: int
    of: Pipeline | Function
    fields: tuple[str, ...]

    def __str__(self) -> str:
        inner = f"({self.of})" if isinstance(self.of, Pipeline) else str(self.of)
        return ".".join((inner, *self.fields))


@dataclass(frozen=True, slots=True)
class Command:
    """One stage of a pipeline: a function or method with arguments, or a lone value."""

    at: int
    words: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(f"({w})" if isinstance(w, Pipeline) else str(w) for w in self.words)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the result of the one before as its last argument."""

    at: int
    commands: tuple[Command, ...]
    declares: tuple[str, ...] = ()
    assigns: bool = False

    def __str__(self) -> str:
        mark = " = " if self.assigns else " := "
        names = ", ".join(self.declares) + mark if self.declares else ""
        return names + " | ".join(map(str, self.commands))


Operand = Dot | Constant | Field | Variable | Function | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """What stands between actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """`{{ pipeline }}`."""

    at: int
    pipeline: Pipeline

    def __str__(self) -> str:
        return f"{{{{{self.pipeline}}}}}"


@dataclass(frozen=True, slots=True)
class Branch:
    """`if` or `with`: both differ only in what the dot is inside."""

    at: int
    pipeline: Pipeline
    body: Block
    otherwise: Block
    rebinds: bool


@dataclass(frozen=True, slots=True)
class Range:
    """`range`, with what to do where there is nothing to range over."""

    at: int
    pipeline: Pipeline
    body: Block
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Call:
    """`{{ template "name" pipeline }}`."""

    at: int
    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        given = "" if self.pipeline is None else f" {self.pipeline}"
        return f"{{{{template {quote(self.name)}{given}}}}}"


class Jump(StrEnum):
    """How a range is left early."""

    BREAK = "break"
    CONTINUE = "continue"


Node = Text | Action | Branch | Range | Call | Jump
Block = tuple[Node, ...]
