"""Is a file, or a folder, a whole dump of PostgreSQL? Asked of the dump itself, not of its name."""

from __future__ import annotations

import asyncio
import re
import shutil
import stat
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

from stewardmon.domain.display import format_value
from stewardmon.domain.outcome import Reason
from stewardmon.domain.redact import excerpt

_ENDS: Final = 8192  # bytes read at both ends of a plain dump
_PIECE: Final = 1024 * 1024
_BLOCK: Final = 512  # bytes, of a tar
_BROKEN_OFF: Final = "it breaks off before its end"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_BEGUN: Final = re.compile(rb"^-- PostgreSQL database (cluster )?dump\b", re.MULTILINE)
# Since the minor releases of August 2025, pg_dump writes \unrestrict after this line.
_ENDED: Final = re.compile(
    rb"^-- PostgreSQL database (?:cluster )?dump complete\n"
    rb"(?:\s|--[^\n]*(?:\n|\Z)|\\unrestrict[^\n]*(?:\n|\Z))*\Z",
    re.MULTILINE,
)


class Form(StrEnum):
    """How a dump was written: pg_dump's --format, or what else a file may be."""

    PLAIN = "plain"
    CUSTOM = "custom"
    DIRECTORY = "directory"
    TAR = "tar"
    GZIP = "gzip"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a dump is whole; `whole` is None where that could not be seen, and `why` says so."""

    form: Form
    whole: bool | None
    reason: Reason = Reason.OK
    why: str = ""


async def inspect(path: Path, *, read_limit: int) -> Verdict:
    """Return what a dump says of itself; raises OSError where it cannot be read.

    Archives of up to `read_limit` bytes are read to their end by pg_restore; of longer ones only
    the table of contents is.
    """
    form, size = await asyncio.to_thread(_look, path)
    if size == 0:
        return Verdict(form, whole=False, reason=Reason.EMPTY, why="it is empty")
    match form:
        case Form.PLAIN:
            return await asyncio.to_thread(_plain, path)
        case Form.GZIP:
            return await asyncio.to_thread(_zipped, path, read_limit)
        case Form.OTHER:
            return Verdict(form, whole=None, why="it is in no form that stewardmon can read")
        case Form.TAR if not await asyncio.to_thread(_tar_ends, path):
            # pg_restore takes what is missing of a row for its end, and says nothing.
            return Verdict(form, whole=False, reason=Reason.INCOMPLETE, why=_BROKEN_OFF)
        case _:
            return await _archive(path, form, whole=size <= read_limit)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files directly in a folder."""
    entry = path.stat()
    if not stat.S_ISDIR(entry.st_mode):
        return entry.st_size
    return sum(one.stat().st_size for one in path.iterdir() if one.is_file())


def _look(path: Path) -> tuple[Form, int]:
    size = size_of(path)
    if path.is_dir():
        return Form.DIRECTORY, size
    with path.open("rb") as file:
        head = file.read(_ENDS)
    if head.startswith(b"PGDMP"):
        return Form.CUSTOM, size
    if head.startswith(b"\x1f\x8b"):
        return Form.GZIP, size
    if head[257:262] == b"ustar":
        return Form.TAR, size
    named = path.suffix in {".sql", ".dump", ".pgdump", ".backup"}
    return (Form.PLAIN if named or _BEGUN.search(head) else Form.OTHER), size


def _tar_ends(path: Path) -> bool:
    """Say whether a tar has its end, which is two blocks of zeros (POSIX.1-1988, ustar)."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 2 * _BLOCK))
        return file.read() == bytes(2 * _BLOCK)


def _plain(path: Path) -> Verdict:
    with path.open("rb") as file:
        head = file.read(_ENDS)
        file.seek(max(0, file.seek(0, 2) - _ENDS))
        tail = file.read(_ENDS)
    return _ends(Form.PLAIN, head, tail)


def _ends(form: Form, head: bytes, tail: bytes) -> Verdict:
    if not _BEGUN.search(head):
        why = "it does not begin as a dump of PostgreSQL does"
        return Verdict(form, whole=False, reason=Reason.BODY, why=why)
    if not _ENDED.search(tail.replace(b"\r\n", b"\n")):
        why = _BROKEN_OFF
        return Verdict(form, whole=False, reason=Reason.INCOMPLETE, why=why)
    return Verdict(form, whole=True)


def _zipped(path: Path, read_limit: int) -> Verdict:
    """Unpack a compressed plain dump piece by piece, keeping only its two ends."""
    if path.stat().st_size > read_limit:
        why = f"it is longer than the {format_value(read_limit, 'bytes')} that are read through"
        return Verdict(Form.GZIP, whole=None, why=why)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    head = tail = b""
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                while piece and not unpacker.eof:
                    plain = unpacker.decompress(piece, _PIECE)
                    piece = unpacker.unconsumed_tail
                    head = (head + plain)[:_ENDS] if len(head) < _ENDS else head
                    tail = (tail + plain)[-_ENDS:]
    except zlib.error:
        return Verdict(Form.GZIP, whole=False, reason=Reason.BODY, why="it is damaged: no gzip")
    if not unpacker.eof:
        why = "it breaks off amid the compressed data"
        return Verdict(Form.GZIP, whole=False, reason=Reason.INCOMPLETE, why=why)
    return _ends(Form.GZIP, head, tail)


async def _archive(path: Path, form: Form, *, whole: bool) -> Verdict:
    program = await asyncio.to_thread(find_program, "pg_restore")
    if program is None:
        return Verdict(form, whole=None, why="pg_restore is not installed here")
    how = ("--file=/dev/null",) if whole else ("--list",)
    code, said = await run(program, *how, str(path))
    if code == 0:
        why = "" if whole else "only its table of contents was read"
        return Verdict(form, whole=True, why=why)
    if code == 127:
        return Verdict(form, whole=None, reason=Reason.SETUP, why=said)
    if "unsupported version" in said:
        why = f"pg_restore here is too old for it: {excerpt(said)}"
        return Verdict(form, whole=None, reason=Reason.SETUP, why=why)
    broken = f"pg_restore cannot read it: {excerpt(said)}"
    return Verdict(form, whole=False, reason=Reason.INCOMPLETE, why=broken)


@lru_cache(maxsize=16)
def find_program(name: str) -> Path | None:
    """Return one of PostgreSQL's client programs: Debian's newest version, else the path's."""
    versions = (path for path in _DEBIAN.glob(f"*/bin/{name}") if path.is_file())
    newest = max(versions, key=lambda path: float(path.parts[-3]), default=None)
    if newest is not None:
        return newest
    found = shutil.which(name)
    return Path(found) if found else None


async def run(
    program: Path, *arguments: str, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a program to its end; return its exit code and the first line that it complained.

    127 stands for a program that cannot be started, as in a shell. Whoever is cancelled while
    waiting leaves no process behind.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        return 127, f"{program.name} cannot be started: {error.strerror}"
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return process.returncode or 0, lines[0] if lines else ""
