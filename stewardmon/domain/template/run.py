"""Executing a template: what every node means, with Go's rules for types and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NoReturn, assert_never

from stewardmon.domain.template.fields import field, method
from stewardmon.domain.template.functions import Signature
from stewardmon.domain.template.gofmt import plain
from stewardmon.domain.template.gotime import GoDuration
from stewardmon.domain.template.nodes import (
    Action,
    Block,
    Branch,
    Call,
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Function,
    Jump,
    Node,
    Operand,
    Pipeline,
    Range,
    Text,
    Variable,
)
from stewardmon.domain.template.values import (
    MAX_DEPTH,
    MAX_OUTPUT,
    Budget,
    QueryResult,
    Sample,
    TemplateError,
    Value,
    truth,
    type_name,
)

# "No value was piped in", which differs from "nil was piped in".
_NOTHING: Final = object()
_EMPTY_CALL: Final = "runtime error: invalid memory address or nil pointer dereference"

Located = Action | Branch | Range | Call | Operand | Command


class Execution:
    """One expansion of one template: its output so far, its variables, its budget."""

    def __init__(
        self,
        blocks: Mapping[str, Block],
        functions: Mapping[str, Signature],
        budget: Budget,
        variables: Iterable[tuple[str, Value]],
    ) -> None:
        self._blocks = blocks
        self._functions = functions
        self._budget = budget
        self._variables: list[tuple[str, Value]] = list(variables)
        self._out: list[str] = []
        self._size = 0
        self._depth = 0
        self.node: Located | None = None
        self.block = ""

    def run(self, block: Block, dot: Value) -> str:
        """Return the expanded text.

        Raises TemplateError; `node` and `block` then say where it happened.
        """
        self._walk(block, dot)
        return "".join(self._out)

    # Nodes

    def _walk(self, block: Block, dot: Value) -> Jump | None:
        self._deeper()
        for node in block:
            jump = self._step(node, dot)
            if jump is not None:
                break
        else:
            jump = None
        self._depth -= 1
        return jump

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TemplateError(f"nested or recursive beyond {MAX_DEPTH} levels")

    def _step(self, node: Node, dot: Value) -> Jump | None:
        self._budget.spend_step()
        if isinstance(node, Jump):
            return node
        if isinstance(node, Text):
            self._write(node.text)
            return None
        self.node = node
        match node:
            case Action():
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.declares:
                    self.node = node
                    self._write(_shown(value))
            case Branch():
                return self._branch(node, dot)
            case Range():
                return self._range(node, dot)
            case Call():
                self._template(node, dot)
            case _:
                assert_never(node)
        return None

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_OUTPUT:
            raise TemplateError(f"a text larger than {MAX_OUTPUT // 1024} KiB")
        self._out.append(text)

    def _branch(self, node: Branch, dot: Value) -> Jump | None:
        mark = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        inside = value if node.rebinds else dot
        jump = self._walk(node.body, inside) if truth(value) else self._walk(node.otherwise, dot)
        del self._variables[mark:]
        return jump

    def _range(self, node: Range, dot: Value) -> Jump | None:
        mark = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        names, inner = node.pipeline.declares, len(self._variables)
        if isinstance(value, int) and not isinstance(value, bool) and len(names) > 1:
            raise TemplateError(f"can't use {value} to iterate over more than one variable")
        ranged = False
        for key, element in _items(value):
            ranged = True
            self._budget.spend_step()
            self._bind(node.pipeline, key, element)
            jump = self._walk(node.body, element)
            del self._variables[inner:]
            if jump is Jump.BREAK:
                break
        jump = None if ranged else self._walk(node.otherwise, dot)
        del self._variables[mark:]
        return jump

    def _bind(self, pipeline: Pipeline, key: Value, element: Value) -> None:
        names = pipeline.declares
        values = (element,) if len(names) == 1 else (key, element)
        for position, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._variables[position - len(names)] = (name, value)

    def _template(self, node: Call, dot: Value) -> None:
        body = self._blocks.get(node.name)
        if body is None:
            raise TemplateError(f'template "{node.name}" not defined')
        given = None if node.pipeline is None else self._pipeline(node.pipeline, dot)
        outside, block = self._variables, self.block
        self._variables, self.block = [("$", given)], node.name
        self._walk(body, given)
        self._variables, self.block = outside, block

    # Variables

    def _lookup(self, name: str) -> Value:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise TemplateError(f"undefined variable: {name}")

    def _assign(self, name: str, value: Value) -> None:
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._variables[position] = (name, value)
                return
        raise TemplateError(f"undefined variable: {name}")

    # Pipelines

    def _pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        self._deeper()
        self.node = pipeline
        value: Value = _NOTHING
        for command in pipeline.commands:
            self._budget.spend_step()
            value = self._command(command, dot, value)
        for name in pipeline.declares:
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        self._depth -= 1
        return value

    def _command(self, command: Command, dot: Value, final: Value) -> Value:
        head, rest = command.words[0], command.words[1:]
        match head:
            case Function():
                return self._function(head, command, dot, final)
            case Field() | Variable() | Chain():
                self.node = head
                return self._fields(head, rest, dot, final)
            case Pipeline():
                self._no_arguments(head, rest, final)
                return self._pipeline(head, dot)
        self.node = head
        self._no_arguments(head, rest, final)
        if isinstance(head, Dot):
            return dot
        if head.value is None:
            raise TemplateError("nil is not a command")
        return head.value

    def _no_arguments(self, head: Operand, rest: tuple[Operand, ...], final: Value) -> None:
        if rest or final is not _NOTHING:
            raise TemplateError(f"can't give argument to non-function {head}")

    def _fields(
        self, head: Field | Variable | Chain, rest: tuple[Operand, ...], dot: Value, final: Value
    ) -> Value:
        match head:
            case Field():
                value, names = dot, head.names
            case Variable():
                value, names = self._lookup(head.name), head.fields
            case Chain():
                value, names = self._operand(head.of, dot), head.fields
        if not names:
            self._no_arguments(head, rest, final)
            return value
        for name in names[:-1]:
            value = self._field(head, value, name, (), dot, _NOTHING)
        return self._field(head, value, names[-1], rest, dot, final)

    def _field(
        self,
        head: Operand,
        receiver: Value,
        name: str,
        rest: tuple[Operand, ...],
        dot: Value,
        final: Value,
    ) -> Value:
        self.node = head
        found = method(receiver, name)
        if found is not None:
            function, parameters = found
            values = self._arguments(name, parameters, rest, dot, final)
            self.node = head
            return function(receiver, *values)
        value = field(receiver, name)
        if receiver is not None and (rest or final is not _NOTHING):
            if isinstance(receiver, dict):
                raise TemplateError(f"{name} is not a method but has arguments")
            raise TemplateError(f"{name} has arguments but cannot be invoked as function")
        return value

    def _operand(self, operand: Operand, dot: Value) -> Value:
        match operand:
            case Dot():
                return dot
            case Constant():
                return operand.value
            case Pipeline():
                return self._pipeline(operand, dot)
            case Function():
                return self._function(operand, Command(operand.at, (operand,)), dot, _NOTHING)
        self.node = operand
        return self._fields(operand, (), dot, _NOTHING)

    # Functions

    def _function(self, head: Function, command: Command, dot: Value, final: Value) -> Value:
        self.node = head
        rest = command.words[1:]
        if head.name in {"and", "or"}:
            return self._short_circuit(head, rest, dot, final)
        function, parameters = self._functions[head.name]
        values = self._arguments(head.name, parameters, rest, dot, final)
        try:
            _refuse_empty_samples(values, parameters)
            return function(*values)
        except TemplateError as failure:
            self.node = command
            raise TemplateError(f"error calling {head.name}: {failure}") from failure

    def _short_circuit(
        self, head: Function, rest: tuple[Operand, ...], dot: Value, final: Value
    ) -> Value:
        """Return the first argument that decides `and` or `or`, or else the last."""
        if not rest and final is _NOTHING:
            raise TemplateError(f"wrong number of args for {head.name}: want at least 1 got 0")
        value: Value = None
        for operand in rest:
            value = self._argument(operand, "any", dot)
            if truth(value) == (head.name == "or"):
                return value
        return value if final is _NOTHING else final

    def _arguments(
        self,
        name: str,
        parameters: tuple[str, ...],
        rest: tuple[Operand, ...],
        dot: Value,
        final: Value,
    ) -> list[Value]:
        variadic = bool(parameters) and parameters[-1].startswith("...")
        fixed = parameters[:-1] if variadic else parameters
        count = len(rest) + (final is not _NOTHING)
        if variadic and count < len(fixed):
            self._count(name, f"at least {len(fixed)}", len(rest))
        if not variadic and count != len(fixed):
            self._count(name, f"{len(fixed)}", count)
        more = parameters[-1][3:] if variadic else ""
        types = [*fixed, *[more] * (count - len(fixed))]
        values = [self._argument(operand, types[n], dot) for n, operand in enumerate(rest)]
        if final is not _NOTHING:
            values.append(_checked(final, types[-1]))
        return values

    def _count(self, name: str, want: str, got: int) -> NoReturn:
        raise TemplateError(f"wrong number of args for {name}: want {want} got {got}")

    def _argument(self, operand: Operand, wanted: str, dot: Value) -> Value:
        self.node = operand
        if not isinstance(operand, Constant):
            value = self._operand(operand, dot)
            return _checked(value, wanted)
        value = operand.value
        if wanted == "any" or (wanted == "string" and isinstance(value, str)):
            return value
        if value is None and wanted not in {"string", "time.Duration"}:
            return QueryResult() if wanted == "template.queryResult" else None
        if value is None:
            raise TemplateError(f"cannot assign nil to {wanted}")
        if wanted == "string":
            raise TemplateError(f"expected string; found {operand}")
        raise TemplateError(f"can't handle {operand} for arg of type {wanted}")


def _refuse_empty_samples(values: list[Value], parameters: tuple[str, ...]) -> None:
    # Go lets nil through as a pointer and fails when it is followed.
    for value, parameter in zip(values, parameters, strict=False):
        if value is None and parameter == "*template.sample":
            raise TemplateError(_EMPTY_CALL)


_ACCEPTED: Final[dict[str, type]] = {
    "string": str,
    "template.queryResult": QueryResult,
    "*template.sample": Sample,
    "time.Duration": GoDuration,
}


def _checked(value: Value, wanted: str) -> Value:
    """Return the value as a parameter of that type takes it; Go's types do not convert."""
    if wanted == "any" or type(value) is _ACCEPTED[wanted]:
        return value
    if value is None:
        if wanted in {"string", "time.Duration"}:
            raise TemplateError(f"invalid value; expected {wanted}")
        return QueryResult() if wanted == "template.queryResult" else None
    raise TemplateError(
        f"wrong type for value; expected {wanted.removeprefix('*')}; got {type_name(value)}"
    )


def _shown(value: Value) -> str:
    # An action follows a pointer before it prints, unlike `print`.
    text = "<no value>" if value is None else plain(value)
    return text.removeprefix("&") if isinstance(value, Sample) else text


def _items(value: Value) -> Iterable[tuple[Value, Value]]:
    """Return what a range goes over: key and element; a number n counts from 0 to n − 1."""
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, QueryResult):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return ((number, number) for number in range(value))
    if value is None:
        return ()
    raise TemplateError(f"range can't iterate over {plain(value)}")
