"""A tree into what it spells: typed by pydantic, each mistake at its own place in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from stewardmon.config.fields import Model, known_keys
from stewardmon.config.nodes import (
    Entries,
    Found,
    Items,
    Node,
    Place,
    Scalar,
    find,
    plain,
    put,
)
from stewardmon.config.sentences import sentence, suggestion, unshown
from stewardmon.config.source import Source, refused, secrets_of
from stewardmon.config.types import Entry
from stewardmon.settings import Settings

M = TypeVar("M", bound=Entry | Settings)
_ROUNDS: Final = 3
_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})


def bind(
    model: type[M], node: Node, source: Source, *, what: str, also: Iterable[str] = ()
) -> M | None:
    """Return the model that the tree spells, or None with every mistake noted.

    `what` names the thing in messages ("kind http"); `also` are keys that belong to it but were
    taken out before, so that a suggestion can name them.
    """
    value = plain(node)
    reader: Any = model  # either base has a `model_validate`
    for _ in range(_ROUNDS):
        try:
            read: M = reader.model_validate(value)
        except ValidationError as error:
            failed = error
        else:
            return read
        # `labels: {tier: 1}`, `to: 0151…`: where text is wanted, what was written is the text.
        if not _as_written(failed, node, value):
            break
    for problem in failed.errors(include_url=False):
        _note(problem, reader, node, source, what=what, also=also)
    return None


def _as_written(failed: ValidationError, node: Node, value: Any) -> bool:
    changed = False
    for problem in failed.errors(include_url=False, include_context=False):
        if problem["type"] != "string_type":
            continue
        found = find(node, problem["loc"])
        if isinstance(found.node, Scalar) and found.node.value is not None:
            put(node, problem["loc"], value, found.node.text)
            changed = changed or not isinstance(found.node.value, str)
    return changed


def _note(
    problem: Any,
    model: Model,
    node: Node,
    source: Source,
    *,
    what: str,
    also: Iterable[str],
) -> None:
    loc = problem["loc"]
    found = find(node, loc)
    if problem["type"] == "missing":
        key = str(loc[-1])
        place = found.place if found.key else _first(found.node)
        inside = f" in {found.key}" if found.key else ""
        source.add(place, f"{key} is missing{inside}: {what} needs it")
        return
    if problem["type"] in _UNKNOWN:
        known = known_keys(model, loc[:-1])
        extra = also if len(loc) == 1 else ()
        inside = "" if len(loc) == 1 else f"{find(node, loc[:-1]).key} of "
        source.add(found.place, _unknown(str(loc[-1]), f"{inside}{what}", [*known, *extra]))
        return
    if not refused(found.node):
        source.add(found.place, unshown(_said(found, problem, what), secrets_of(found.node)))


def _unknown(key: str, what: str, known: list[str]) -> str:
    return f"unknown key {key!r} for {what}{suggestion(key, known)}"


def _said(found: Found, problem: Any, what: str) -> str:
    return sentence(problem, found.key, found.node, what)


def _first(node: Node) -> Place:
    """Return where a mapping begins: its first key, for a list's `- ` mapping its place."""
    if isinstance(node, Entries) and node.keys:
        return min(node.keys.values())
    return node.place


Builder = Callable[[str, Node], None]


def entries_of(node: Entries, key: str, source: Source, *, wanted: str) -> Entries | None:
    """Return the mapping under `key`; None where there is none; anything else is a mistake."""
    found = node.nodes.get(key)
    if found is None or (isinstance(found, Scalar) and found.value is None):
        return None
    if not isinstance(found, Entries):
        source.add(node.keys[key], f"{key} must be a mapping: {wanted}")
        return None
    return found


def items_of(node: Entries, key: str, source: Source, *, wanted: str) -> list[Entries]:
    """Return the mappings listed under `key`; anything else there is a mistake."""
    found = node.nodes.get(key)
    if found is None or (isinstance(found, Scalar) and found.value is None):
        return []
    if isinstance(found, Scalar | Entries):
        source.add(node.keys[key], f"{key} must be a list: {wanted}")
        return []
    kept = []
    for one in found.nodes:
        if isinstance(one, Entries):
            kept.append(one)
        else:
            source.add(one.place, f"each item of {key} must be a mapping: {wanted}")
    return kept


def refuse_unknown(node: Entries, known: Iterable[str], source: Source, *, what: str) -> None:
    """Note every key of the mapping that is not known."""
    names = list(known)
    for key in node.nodes:
        if key not in names:
            source.add(node.keys[key], _unknown(key, what, names))


def mapping(node: Node, place: Place) -> Node:
    """Return the node; where nothing is written under a key, an empty mapping at the key."""
    if isinstance(node, Scalar) and node.value is None:
        return Entries(place, {}, {})
    return node


def named_in(entry: Entries, key: str, text: str) -> Place:
    """Return where `text` stands in the list under `key`, or the key's own place."""
    found = find(entry, (key,))
    for one in found.node.nodes if isinstance(found.node, Items) else ():
        if isinstance(one, Scalar) and one.text == text:
            return one.place
    return found.place
