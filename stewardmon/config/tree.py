"""YAML's events into a tree of nodes: duplicate keys refused, depth, size and aliases bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

from stewardmon.config.nodes import Entries, Items, Node, Place, Scalar
from stewardmon.config.scalars import typed

DEEPEST: Final = 40
MOST_NODES: Final = 600_000
MOST_ALIASED: Final = 20_000  # nodes that aliases may stand for, all together
_TEXT_TAG: Final = "tag:yaml.org,2002:str"

Complain = Callable[[Place, str], None]


class Refused(Exception):  # noqa: N818 - an answer, not a failure: it never leaves this package
    """The document is refused as a whole, for this reason."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


def build(text: str, complain: Complain) -> Entries:
    """Return the document's tree; an empty document is an empty mapping.

    Mistakes that leave the rest readable (a duplicate key) go to `complain`. Raises Refused for
    what is not a bounded mapping and yaml.YAMLError for what is not YAML.
    """
    events = yaml.parse(text, Loader=yaml.CSafeLoader)
    builder = _Builder(events, complain)
    root = builder.document()
    if isinstance(root, Scalar) and root.value is None:
        return Entries(Place(1, 1), {}, {})
    if not isinstance(root, Entries):
        raise Refused("a mapping is wanted here: `key: value` lines", root.place)
    return root


class _Builder:
    def __init__(self, events: Iterator[Any], complain: Complain) -> None:
        self._events = events
        self._complain = complain
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._count = 0
        self._aliased = 0

    def document(self) -> Node:
        root: Node = Scalar(Place(1, 1), "", None)
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise Refused("a second document begins: one a file is read", _place(event))
                seen = True
            elif not isinstance(
                event, yaml.StreamStartEvent | yaml.DocumentEndEvent | yaml.StreamEndEvent
            ):
                root = self._node(event, 0)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        self._count += 1
        if self._count > MOST_NODES:
            raise Refused(f"the file holds more than {MOST_NODES} values, the most that is read")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            raise Refused(f"lists and mappings nest deeper than {DEEPEST} levels", _place(event))
        anchor, before = event.anchor, self._count
        if anchor:
            self._anchors[anchor] = None
        self._check_tag(event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._items(event, depth)
        else:
            node = self._entries(event, depth)
        if anchor:
            self._anchors[anchor] = (node, self._count - before + 1)
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise Refused(f"*{event.anchor} stands for nothing: no &{event.anchor} comes before it",
                          _place(event))  # fmt: skip
        known = self._anchors[event.anchor]
        if known is None:
            raise Refused(f"*{event.anchor} stands inside what it names", _place(event))
        node, weight = known
        self._aliased += weight
        self._count += weight
        if self._aliased > MOST_ALIASED:
            raise Refused(f"aliases stand for more than {MOST_ALIASED} values", _place(event))
        return node

    def _items(self, start: Any, depth: int) -> Items:
        nodes: list[Node] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            nodes.append(self._node(event, depth + 1))
        return Items(_place(start), nodes)

    def _entries(self, start: Any, depth: int) -> Entries:
        entries = Entries(_place(start), {}, {})
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            self._add(entries, key, value, _place(event))
        return entries

    def _add(self, entries: Entries, key: Node, value: Node, place: Place) -> None:
        if not isinstance(key, Scalar):
            raise Refused("a key must be a single word, not a list or a mapping", place)
        first = entries.keys.get(key.text)
        if first is not None:
            self._complain(
                place, f"duplicate key {key.text!r}: it stands at {first.line}:{first.column} too"
            )
        elif key.text == "<<" and not key.style:
            self._complain(place, "merge keys (<<) are not read: write the keys out")
        else:
            entries.keys[key.text] = place
            entries.nodes[key.text] = value

    def _check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!", _TEXT_TAG):
            self._complain(_place(event), "tags (!…) are not read: write the value itself")


def _scalar(event: Any) -> Scalar:
    text = event.value
    value = typed(text) if event.implicit[0] and event.tag is None else text
    style = event.style if event.style in {"'", '"', "|", ">"} else ""
    last = event.end_mark.line + 1
    return Scalar(_place(event), text, value, style, last)


def _place(event: Any) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)
