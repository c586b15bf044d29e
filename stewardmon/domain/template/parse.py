"""From tokens to nodes: the grammar of Go's text/template, refused where Go refuses it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stewardmon.domain.alike import alike
from stewardmon.domain.template.literals import character, number, unquote
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
from stewardmon.domain.template.tokens import Kind, Token, tokens
from stewardmon.errors import ExpressionError

MAX_TEXT: Final = 64 * 1024
MAX_NESTING: Final = 50

_OPERANDS: Final = frozenset(
    {
        Kind.BOOL, Kind.CHAR, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NUMBER, Kind.NIL,
        Kind.RAW, Kind.STRING, Kind.VARIABLE, Kind.LEFT,
    }
)  # fmt: skip


def parse(
    text: str, *, functions: Collection[str], variables: tuple[str, ...]
) -> tuple[Block, dict[str, Block]]:
    """Return the main block and the blocks that `define` and `block` name.

    `variables` are those that exist from the start in the main block; a defined block sees none
    of them. Raises ExpressionError with its column.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(
            f"a template of {len(text)} characters: {MAX_TEXT} are allowed", column=1
        )
    return _Parser(text, functions, variables).run()


class _Parser:
    def __init__(self, text: str, functions: Collection[str], variables: tuple[str, ...]) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._functions = functions
        self._variables = ["$", *variables]
        self._ranges = 0
        self._nesting = 0
        self._defined: dict[str, Block] = {}

    def run(self) -> tuple[Block, dict[str, Block]]:
        nodes: list[Node] = []
        while self._peek().kind is not Kind.END:
            if self._keyword_ahead() == "define":
                self._define()
                continue
            ended, node = self._node()
            if ended is not None:
                raise self._error(f"unexpected {{{{{ended.text}}}}}: nothing is open", ended)
            nodes += [] if node is None else [node]
        return tuple(nodes), self._defined

    # Tokens

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _skip(self) -> Token:
        while self._peek().kind is Kind.SPACE:
            self._next()
        return self._peek()

    def _take(self) -> Token:
        self._skip()
        return self._next()

    def _want(self, kind: Kind, context: str) -> Token:
        token = self._take()
        if token.kind is not kind:
            raise self._error(f"{_shown(token)} in {context}: {kind.value} belongs here", token)
        return token

    def _keyword_ahead(self) -> str:
        """Return the keyword that the action at hand begins with, empty for none."""
        if self._peek().kind is not Kind.OPEN:
            return ""
        at = self._at + 1
        while self._tokens[at].kind is Kind.SPACE:
            at += 1
        token = self._tokens[at]
        return token.text if token.kind is Kind.KEYWORD else ""

    def _error(self, message: str, token: Token) -> ExpressionError:
        return ExpressionError(message, column=token.at + 1)

    # Blocks

    def _node(self) -> tuple[Token | None, Node | None]:
        """Return the next node, or the `end` or `else` that closes what is open."""
        token = self._next()
        if token.kind is Kind.TEXT:
            return None, Text(token.text)
        keyword = self._skip()
        if keyword.kind is not Kind.KEYWORD:
            return None, Action(keyword.at, self._pipeline("command", Kind.CLOSE))
        self._next()
        if keyword.text in {"end", "else"}:
            return keyword, None
        return None, self._control(keyword)

    def _control(self, keyword: Token) -> Node | None:
        match keyword.text:
            case "if" | "with" | "range":
                return self._branch(keyword)
            case "template":
                return self._template()
            case "block":
                return self._block(keyword)
            case "break" | "continue":
                return self._jump(keyword)
        raise self._error("define stands at the top of a template, not inside a block", keyword)

    def _body(self, opened: Token) -> tuple[Block, Token]:
        nodes: list[Node] = []
        while self._peek().kind is not Kind.END:
            ended, node = self._node()
            if ended is not None:
                return tuple(nodes), ended
            nodes += [] if node is None else [node]
        raise self._error(f"{{{{{opened.text}}}}} is not closed: {{{{end}}}} is missing", opened)

    def _deeper(self, token: Token) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._error(f"nested deeper than {MAX_NESTING} levels", token)

    def _branch(self, keyword: Token) -> Branch | Range:
        self._deeper(keyword)
        known = len(self._variables)
        pipeline = self._pipeline(keyword.text, Kind.CLOSE)
        self._ranges += keyword.text == "range"
        body, ended = self._body(keyword)
        self._ranges -= keyword.text == "range"
        otherwise: Block = ()
        if ended.text == "else":
            otherwise = self._otherwise(keyword)
        else:
            self._want(Kind.CLOSE, "end")
        del self._variables[known:]
        self._nesting -= 1
        if keyword.text == "range":
            return Range(keyword.at, pipeline, body, otherwise)
        return Branch(keyword.at, pipeline, body, otherwise, keyword.text == "with")

    def _otherwise(self, keyword: Token) -> Block:
        chained = self._skip()
        if chained.kind is Kind.KEYWORD and chained.text == keyword.text != "range":
            # {{else if x}} … {{end}} closes both with one end.
            self._next()
            return (self._branch(chained),)
        self._want(Kind.CLOSE, "else")
        body, ended = self._body(keyword)
        if ended.text != "end":
            raise self._error("a second {{else}}: expected {{end}}", ended)
        self._want(Kind.CLOSE, "end")
        return body

    def _jump(self, keyword: Token) -> Jump:
        self._want(Kind.CLOSE, keyword.text)
        if not self._ranges:
            raise self._error(f"{{{{{keyword.text}}}}} outside {{{{range}}}}", keyword)
        return Jump(keyword.text)

    def _name(self, context: str) -> str:
        token = self._take()
        if token.kind not in {Kind.STRING, Kind.RAW}:
            raise self._error(f"{_shown(token)} in {context}: a name in quotes belongs here", token)
        return unquote(token)

    def _template(self) -> Call:
        at = self._skip().at
        name = self._name("template")
        pipeline = None
        if self._skip().kind is Kind.CLOSE:
            self._next()
        else:
            pipeline = self._pipeline("template", Kind.CLOSE)
        return Call(at, name, pipeline)

    def _block(self, keyword: Token) -> Call:
        name = self._name("block")
        pipeline = self._pipeline("block", Kind.CLOSE)
        self._isolated(keyword, name)
        return Call(keyword.at, name, pipeline)

    def _define(self) -> None:
        self._next()
        keyword = self._take()
        name = self._name("define")
        self._want(Kind.CLOSE, "define")
        self._isolated(keyword, name)

    def _isolated(self, keyword: Token, name: str) -> None:
        """Read the body of a named block: of the variables outside it sees none."""
        self._deeper(keyword)
        outside, ranges = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body, ended = self._body(keyword)
        if ended.text != "end":
            raise self._error(f"{{{{else}}}} in {keyword.text}", ended)
        self._want(Kind.CLOSE, "end")
        self._variables, self._ranges = outside, ranges
        self._nesting -= 1
        if not _empty(body) and not _empty(self._defined.get(name, ())):
            raise self._error(f"template {name!r} is defined twice", keyword)
        if name not in self._defined or not _empty(body):
            self._defined[name] = body

    # Pipelines

    def _pipeline(self, context: str, end: Kind) -> Pipeline:
        start = self._skip()
        self._deeper(start)
        declares, assigns = self._declarations(context)
        commands: list[Command] = []
        while self._skip().kind is not end:
            token = self._peek()
            if token.kind not in _OPERANDS:
                raise self._error(f"{_shown(token)} in {context}", token)
            commands.append(self._command())
        closing = self._next()
        if not commands:
            raise self._error(f"a value is missing in {context}", closing)
        for command in commands[1:]:
            if isinstance(command.words[0], Dot | Constant):
                raise self._error(
                    f"{command.words[0]} after | : only a function can take a value",
                    Token(Kind.PIPE, "", command.at),
                )
        self._nesting -= 1
        return Pipeline(start.at, tuple(commands), declares, assigns)

    def _declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        while self._skip().kind is Kind.VARIABLE:
            back = self._at
            name = self._next().text
            mark = self._skip()
            if mark.kind in {Kind.DECLARE, Kind.ASSIGN}:
                self._next()
                self._declare(names, name)
                return tuple(names), mark.kind is Kind.ASSIGN
            if mark.kind is not Kind.COMMA:
                if names:
                    raise self._error("range can only set variables: $i, $e := …", mark)
                self._at = back
                return (), False
            self._next()
            self._declare(names, name)
            if context != "range" or len(names) > 1:
                raise self._error(f"too many variables are declared in {context}", mark)
        if names:
            raise self._error("range can only set variables: $i, $e := …", self._peek())
        return (), False

    def _declare(self, names: list[str], name: str) -> None:
        names.append(name)
        self._variables.append(name)

    def _command(self) -> Command:
        start = self._skip()
        words: list[Operand] = []
        while True:
            self._skip()
            operand = self._operand()
            if operand is not None:
                words.append(operand)
            token = self._peek()
            if token.kind is Kind.SPACE:
                continue
            if token.kind is Kind.PIPE:
                self._next()
                if self._skip().kind in {Kind.CLOSE, Kind.RIGHT}:
                    raise self._error("a value is missing after |", self._peek())
            elif token.kind not in {Kind.CLOSE, Kind.RIGHT}:
                raise self._error(f"{_shown(token)} in an operand", token)
            break
        if not words:
            raise self._error("an empty command", start)
        return Command(words[0].at, tuple(words))

    def _operand(self) -> Operand | None:
        term = self._term()
        if term is None or self._peek().kind is not Kind.FIELD:
            return term
        dot = self._peek()
        names: list[str] = []
        while self._peek().kind is Kind.FIELD:
            names.append(self._next().text[1:])
        match term:
            case Field():
                return Field(dot.at, term.names + tuple(names))
            case Variable():
                return Variable(dot.at, term.name, tuple(names))
            case Pipeline() | Function():
                return Chain(dot.at, term, tuple(names))
        raise self._error(f"unexpected . after {term}", dot)

    def _term(self) -> Operand | None:
        token = self._skip()
        if token.kind not in _OPERANDS:
            return None
        self._next()
        match token.kind:
            case Kind.IDENTIFIER:
                return self._function(token)
            case Kind.DOT:
                return Dot(token.at)
            case Kind.VARIABLE:
                return self._variable(token)
            case Kind.FIELD:
                return Field(token.at, (token.text[1:],))
            case Kind.LEFT:
                return self._pipeline("parentheses", Kind.RIGHT)
        return _constant(token)

    def _function(self, token: Token) -> Function:
        if token.text not in self._functions:
            near = alike(token.text, self._functions)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self._error(f"function {token.text!r} is not defined{hint}", token)
        return Function(token.at, token.text)

    def _variable(self, token: Token) -> Variable:
        if token.text not in self._variables:
            known = ", ".join(self._variables[1:])
            hint = (
                f"; there are {known}" if known else "; a defined block sees only what it is given"
            )
            raise self._error(f"undefined variable {token.text}{hint}", token)
        return Variable(token.at, token.text)


def _constant(token: Token) -> Constant:
    match token.kind:
        case Kind.BOOL:
            return Constant(token.at, token.text == "true", token.text)
        case Kind.NIL:
            return Constant(token.at, None, "nil")
        case Kind.NUMBER:
            return Constant(token.at, number(token), token.text)
        case Kind.CHAR:
            return Constant(token.at, character(token), token.text)
    return Constant(token.at, unquote(token), token.text)


def _empty(block: Block) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in block)


def _shown(token: Token) -> str:
    return f"unexpected {token.text if token.text.strip() else token.kind.value!r}"
