"""A YAML document as a tree that remembers where everything stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A line and a column of a file, both 1-based."""

    line: int
    column: int


@dataclass(slots=True)
class Scalar:
    """A single value: `text` as written (after quotes and `${…}`), `value` as YAML 1.2 types it.

    `style` is the character that opened it: empty for plain text, a quote, `|` or `>`. `secrets`
    maps variables to what the environment held for them: those values are never shown. `replaced`
    says that the text is not the one that stands in the file, `refused` that its mistake was said.
    """

    place: Place
    text: str
    value: Any
    style: str = ""
    last_line: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict)
    replaced: bool = False
    refused: bool = False


@dataclass(slots=True)
class Items:
    """A list of nodes."""

    place: Place
    nodes: list[Node]


@dataclass(slots=True)
class Entries:
    """A mapping: nodes by key, and where each key stands."""

    place: Place
    nodes: dict[str, Node]
    keys: dict[str, Place]

    def less(self, *names: str) -> Entries:
        """Return the mapping without some of its keys."""
        kept = {key: node for key, node in self.nodes.items() if key not in names}
        return Entries(self.place, kept, self.keys)

    def only(self, *names: str) -> Entries:
        """Return the mapping with only some of its keys."""
        kept = {key: node for key, node in self.nodes.items() if key in names}
        return Entries(self.place, kept, self.keys)


Node = Scalar | Items | Entries


def plain(node: Node) -> Any:
    """Return the tree as dictionaries, lists and typed values."""
    match node:
        case Scalar():
            return node.value
        case Items():
            return [plain(one) for one in node.nodes]
        case Entries():
            return {key: plain(one) for key, one in node.nodes.items()}


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path into a tree led: the deepest node on it, and where its key stands."""

    node: Node
    place: Place
    whole: bool
    key: str = ""


def find(root: Node, path: Sequence[int | str]) -> Found:
    """Follow keys and indices; elements that name nothing (a union's tag) are passed over.

    `whole` says whether the path's last element was found.
    """
    node, place, key, whole = root, root.place, "", True
    for step in path:
        whole = True
        if isinstance(node, Entries) and str(step) in node.nodes:
            key = str(step)
            place, node = node.keys[key], node.nodes[key]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            node = node.nodes[step]
            place = node.place
        else:
            whole = False
    return Found(node, place, whole, key)


def scalars(node: Node) -> Iterator[Scalar]:
    """Walk over every single value of the tree."""
    match node:
        case Scalar():
            yield node
        case Items():
            for one in node.nodes:
                yield from scalars(one)
        case Entries():
            for one in node.nodes.values():
                yield from scalars(one)


def put(root: Node, path: Sequence[int | str], plain_root: Any, value: Any) -> None:
    """Set the value at `path` in what `plain` returned for the tree."""
    node: Node = root
    holder: Any = None
    last: int | str = ""
    target = plain_root
    for step in path:
        if isinstance(node, Entries) and str(step) in node.nodes:
            holder, last, node = target, str(step), node.nodes[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            holder, last, node = target, step, node.nodes[step]
        else:
            continue
        target = holder[last]
    if holder is not None:
        holder[last] = value
