"""From a file to a tree with places: strict, bounded, and every failure is one sentence."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from stewardmon.config.nodes import Entries, Place
from stewardmon.config.notes import Notes
from stewardmon.config.tree import Refused, build

LARGEST: Final = 5 * 1024 * 1024  # bytes; 10,000 rules with annotations are about three million
_CONTROL: Final = frozenset(range(32)) - {9, 10, 13}
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file that could be read: its name in messages, its lines, its tree."""

    name: str
    path: Path | None
    content: bytes
    lines: tuple[str, ...]
    root: Entries


def read(path: Path, notes: Notes, *, name: str = "") -> Document | None:
    """Return the file's document; None where it cannot be read, with the mistake noted."""
    name = name or path.name
    try:
        content = _content(path)
    except Refused as refused:
        notes.add(name, refused.place, str(refused))
        return None
    return parse(content, notes, name=name, path=path)


def parse(content: bytes, notes: Notes, *, name: str, path: Path | None = None) -> Document | None:
    """Return the document that the bytes spell; None where they do not, with the mistake noted."""
    try:
        text = _decoded(content)
        root = build(text, lambda place, message: notes.add(name, place, message))
    except Refused as refused:
        notes.add(name, refused.place, str(refused))
        return None
    except yaml.MarkedYAMLError as error:
        notes.add(name, *_syntax(error, text))
        return None
    except yaml.YAMLError:
        notes.add(name, None, "this is not YAML: it holds characters that no text file may hold")
        return None
    lines = tuple(text.split("\n"))
    return Document(name=name, path=path, content=content, lines=lines, root=root)


def stands(path: Path) -> bool:
    """Say whether something has that name, be it unreadable: reading it then says why."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:
        return True


def no_folder(path: Path) -> str | None:
    """Return why the path is no folder that can be looked into, None where it is one."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            return None
        return "this is no directory" if stands(path) else "this does not exist"
    except OSError as error:
        return f"this cannot be read ({error.strerror})"


def _content(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise Refused("this is a directory: a file is wanted here")
        if not stat.S_ISREG(mode):
            raise Refused("this is a device or a pipe: a regular file is wanted here")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Refused("there is no such file") from None
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST:
        raise Refused(f"the file is larger than {LARGEST // 1024**2} MB, the most that is read")
    return content


def _decoded(content: bytes) -> str:
    if content.startswith(_BYTE_ORDER_MARKS):
        raise Refused("the file is UTF-16: save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(content[: error.start].decode("utf-8", "replace"))
        message = f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8 text"
        raise Refused(message, place) from None
    for index, byte in enumerate(content) if _CONTROL.intersection(content) else ():
        if byte in _CONTROL:
            place = _place(content[:index].decode("utf-8", "replace"))
            raise Refused(f"byte 0x{byte:02x} has no place in a text file", place)
    return text


def _place(before: str) -> Place:
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[Place | None, str]:
    """Return where libyaml stopped, and its reason in words for people."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return None, f"this is not YAML: {error.problem}"
    place = Place(mark.line + 1, mark.column + 1)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return Place(place.line, indent.index("\t") + 1), "a tab indents: YAML wants spaces"
    problem = error.problem or "it cannot be read"
    if "${" in line and "flow" in (error.context or ""):
        return place, 'this is not YAML: inside [ ] and { } a reference wants quotes: "${NAME}"'
    if "mapping values are not allowed" in problem:
        problem += " (quote a value that holds `: `, and check the indentation)"
    elif error.context and error.context_mark is not None:
        problem += f" {error.context} that began in line {error.context_mark.line + 1}"
    return place, f"this is not YAML: {problem}"
