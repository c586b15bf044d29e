"""`${VAR}`, `${VAR:-default}` and `$${` inside single values, after YAML has been read.

Because values are put into scalar nodes and never into text that is parsed, no value can add a key,
end a string or change a type. `VAR_FILE` names a file that holds the value of VAR.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stewardmon.config.nodes import Node, Place, Scalar, scalars
from stewardmon.config.notes import Notes
from stewardmon.config.positions import place_in

# A digit first (`${1}`) is a capture group of a regular expression, and none of our business.
_REFERENCE: Final = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<odd>\$\{(?![0-9]))"
)
_LARGEST_SECRET: Final = 64 * 1024
FILE_SUFFIX: Final = "_FILE"


class Missing(Exception):  # noqa: N818 - an answer: the sentence that says why there is no value
    """The variable has no value that can be used."""


def lookup(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the variable's value, or that of the file VAR_FILE names; None where neither is set.

    An empty value counts as not set. Raises Missing when VAR_FILE cannot be read, or both are set.
    """
    value = environ.get(name) or None
    file = environ.get(name + FILE_SUFFIX) or None
    if file is None:
        return value
    if value is not None:
        raise Missing(f"both {name} and {name}{FILE_SUFFIX} are set: keep one of them")
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_LARGEST_SECRET + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise Missing(f"the file that {name}{FILE_SUFFIX} names cannot be read: {reason}") from None
    return _clean(content, name + FILE_SUFFIX)


def _clean(content: bytes, name: str) -> str | None:
    if len(content) > _LARGEST_SECRET:
        raise Missing(f"the file that {name} names is larger than 64 KB: that is no value")
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Missing(f"the file that {name} names is not UTF-8 text") from None
    if "\0" in text:
        raise Missing(f"the file that {name} names is not text")
    return text or None


def interpolate(
    root: Node, environ: Mapping[str, str], notes: Notes, *, file: str, lines: tuple[str, ...]
) -> None:
    """Replace every reference in the tree's values; what cannot be replaced is noted."""
    done: set[int] = set()  # an alias shows the same node twice
    for scalar in scalars(root):
        if "${" in scalar.text and id(scalar) not in done:
            done.add(id(scalar))
            _replace(scalar, environ, notes, file=file, lines=lines)


def _replace(
    scalar: Scalar,
    environ: Mapping[str, str],
    notes: Notes,
    *,
    file: str,
    lines: tuple[str, ...],
) -> None:
    pieces: list[str] = []
    secrets: dict[str, str] = {}
    written, at = scalar.text, 0
    for found in _REFERENCE.finditer(written):
        pieces.append(written[at : found.start()])
        at = found.end()
        place = place_in(scalar, found.start() + 1, lines)
        if found["odd"]:
            notes.add(file, place, _ODD)
            scalar.refused = True
        elif found["name"]:
            pieces.append(_value(found, environ, secrets, notes, file, place))
        else:
            pieces.append("${")
    pieces.append(written[at:])
    scalar.text = scalar.value = "".join(pieces)
    scalar.secrets = {name: value for name, value in secrets.items() if value}
    scalar.refused = scalar.refused or len(scalar.secrets) < len(secrets)
    scalar.replaced = True


_ODD: Final = (
    "`${` begins no reference that can be read: write ${NAME} or ${NAME:-default}, "
    "and $${ for the characters themselves"
)


def _value(
    found: re.Match[str],
    environ: Mapping[str, str],
    secrets: dict[str, str],
    notes: Notes,
    file: str,
    place: Place,
) -> str:
    name, default = found["name"], found["default"]
    try:
        value = lookup(name, environ)
    except Missing as missing:
        notes.add(file, place, str(missing))
        value = None
        default = default or ""
        secrets[name] = ""
        return default
    if value is not None:
        secrets[name] = value
        return value
    if default is None:
        state = "empty" if name in environ else "not set"
        notes.add(
            file,
            place,
            f"the environment variable {name} is {state}: set it (or {name}{FILE_SUFFIX} to a file "
            f"that holds it), or write ${{{name}:-a default}}",
        )
        secrets[name] = ""
        return ""
    if "${" in default:
        notes.add(file, place, f"the default of ${{{name}}} holds another ${{…}}: that is not read")
    return default
