"""Values that the guide's pages leave for somebody to fill in: refused, never paged or probed."""

from __future__ import annotations

import re
from typing import Final

from stewardmon.config.nodes import Entries, Items, Node, Place, Scalar
from stewardmon.config.notes import Notes

_WHOLE: Final = re.compile(
    r"\[[^\[\]]{0,60}contact[^\[\]]{0,60}\]"
    r"|<[a-z][a-z0-9 _-]{0,60}>"
    r"|change[-_ ]?me[!.]?|replace[-_ ]?me|fill[-_ ]?me[-_ ]?in|to[-_ ]?do|tbd|x{4,}"
    r"|(?:sk-)?(?:example|dummy|placeholder)(?:[-_](?:key|token|secret|password))?",
    re.IGNORECASE,
)
_PART: Final = re.compile(
    r"\byour[_-](?:[a-z0-9]+[_-])*(?:key|dsn|token|secret|password|url)\b"
    r"|\byour-(?:domain|app|company|site)\.(?:com|org|net|io|dev|app)\b"
    r"|\byour-project(?:-ref)?\.supabase\.(?:co|com)\b"
    r"|//(?:user|username):(?:pass|password)@host\b|@host:port\b",
    re.IGNORECASE,
)
_UNQUOTED_CONTACT: Final = re.compile(r"[\w/ -]{1,60} contact", re.IGNORECASE)
_SHOWN_AT_MOST: Final = 60


def is_placeholder(text: str) -> bool:
    """Say whether the value is one that a guide or a template leaves to be filled in."""
    return bool(_WHOLE.fullmatch(text.strip()) or _PART.search(text))


def refuse_placeholders(root: Node, notes: Notes, *, file: str) -> None:
    """Note every placeholder in the tree's values."""
    _walk(root, root.place, notes, file)


def _walk(node: Node, place: Place, notes: Notes, file: str) -> None:
    match node:
        case Scalar():
            if is_placeholder(node.text):
                node.refused = True
                notes.add(file, place, sentence(_shown(node)))
        case Items():
            for one in node.nodes:
                _walk(one, one.place, notes, file)
        case Entries():
            for key, one in node.nodes.items():
                # `to: [On-call developer contact]` without quotes is a list for YAML.
                if key == "to" and isinstance(one, Items):
                    _bracketed(one, node.keys[key], notes, file)
                _walk(one, node.keys[key], notes, file)


def sentence(what: str) -> str:
    """Return what is said of a placeholder."""
    return f"{what} is a placeholder of the guide: put the real value"


def _bracketed(items: Items, place: Place, notes: Notes, file: str) -> None:
    for one in items.nodes:
        if isinstance(one, Scalar) and _UNQUOTED_CONTACT.fullmatch(one.text):
            one.refused = True
            notes.add(file, place, sentence(f"[{one.text}]"))


def _shown(scalar: Scalar) -> str:
    if scalar.secrets:
        return " and ".join(f"the value of ${{{name}}}" for name in scalar.secrets)
    text = scalar.text.strip()
    return text if len(text) <= _SHOWN_AT_MOST else text[:_SHOWN_AT_MOST] + "…"
