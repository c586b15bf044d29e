"""Backups in a folder of this machine."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Final

from stewardmon.domain.backups import Backup, group_of
from stewardmon.domain.outcome import Reason, State
from stewardmon.network.failure import Failure
from stewardmon.probes.dump import Form, Verdict, inspect, size_of

_MOST: Final = 10_000  # entries of a folder that are looked at
_OPENED: Final = 4  # backups of a form that are read, newest first, until one is whole


async def read_folder(folder: Path, pattern: str, *, read_limit: int) -> list[Backup]:
    """Return the folder's backups; the newest ones of each form are read. Raises Failure.

    Links are followed; what is no file and no dump's folder is passed over.
    """
    found = await asyncio.to_thread(_listed, folder, pattern)
    opened: dict[str, int] = {}
    whole: set[str] = set()
    read = []
    for path, backup in sorted(found, key=lambda one: one[1].at, reverse=True):
        if backup.group in whole or opened.get(backup.group, 0) >= _OPENED or not backup.size:
            read.append(backup)
            continue
        opened[backup.group] = opened.get(backup.group, 0) + 1
        seen = await _inspected(path, backup, read_limit)
        if seen.whole is not False:
            whole.add(backup.group)
        read.append(seen)
    return read


async def _inspected(path: Path, backup: Backup, read_limit: int) -> Backup:
    try:
        verdict = await inspect(path, read_limit=read_limit)
    except OSError as error:
        verdict = Verdict(Form.OTHER, whole=None, reason=Reason.PERMISSION, why=_unread(error))
    return Backup(
        name=backup.name,
        at=backup.at,
        size=backup.size,
        group=backup.group,
        form=verdict.form.value,
        whole=verdict.whole,
        reason=verdict.reason,
        why=verdict.why,
    )


def _listed(folder: Path, pattern: str) -> list[tuple[Path, Backup]]:
    try:
        entries = [
            path
            for path in islice(folder.iterdir(), _MOST)
            if fnmatchcase(path.name, pattern) and not path.name.startswith(".")
        ]
    except FileNotFoundError:
        raise Failure(
            Reason.MISSING, f"there is no folder {folder}", state=State.MISCONFIGURED
        ) from None
    except NotADirectoryError:
        raise Failure(Reason.SETUP, f"{folder} is no folder", state=State.MISCONFIGURED) from None
    except OSError as error:
        detail = f"the folder {folder} cannot be read: {error.strerror}"
        raise Failure(Reason.PERMISSION, detail, state=State.MISCONFIGURED) from None
    found = ((path, _backup(path)) for path in entries)
    return [(path, backup) for path, backup in found if backup is not None]


def _unread(error: OSError) -> str:
    return f"it cannot be read ({error.strerror})"


def _backup(path: Path) -> Backup | None:
    try:
        entry = path.stat()
        if stat.S_ISDIR(entry.st_mode):
            return _directory(path, datetime.fromtimestamp(entry.st_mtime, UTC))
        if stat.S_ISREG(entry.st_mode):
            group, size = group_of(path.name), entry.st_size
        else:
            return None  # a pipe or a device would hang whoever opens it
    except OSError:
        return None  # a link that leads nowhere, or a file deleted meanwhile
    at = datetime.fromtimestamp(entry.st_mtime, UTC)
    return Backup(name=path.name, at=at, size=size, group=group)


def _directory(path: Path, at: datetime) -> Backup | None:
    """Return a dump in the directory form; one that may not be read could be one, and is said."""
    group = Form.DIRECTORY.value
    try:
        if not (path / "toc.dat").exists():
            return None
        return Backup(name=path.name, at=at, size=size_of(path), group=group)
    except PermissionError as error:
        if path.name == "lost+found":  # of the file system, on every mounted disk
            return None
        why = _unread(error)
        return Backup(name=path.name, at=at, group=group, reason=Reason.PERMISSION, why=why)
