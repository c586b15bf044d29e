"""The app's source as far as check-lists look into it: migrations, and the lock file of npm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

MIGRATIONS: Final = ("20250101000000_init", "20250301000000_agent_logs", "20250601000000_indexes")
_NAME: Final = {"name": "steward", "version": "1.4.2"}


def migration(name: str) -> bytes:
    """Return a migration's text; what it makes stands in schema.sql."""
    return f"-- {name}: see stewardmon/demo/schema.sql\n".encode()


def checksum(name: str) -> str:
    """Return what Prisma keeps of a migration that it applied: SHA-256 of its text."""
    return hashlib.sha256(migration(name)).hexdigest()


def make_project(folder: Path) -> Path:
    """Write the source into a folder and return it. It depends on nothing, so npm asks nobody."""
    for name in MIGRATIONS:
        place = folder / "prisma/migrations" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "migration.sql").write_bytes(migration(name))
    lock = {**_NAME, "lockfileVersion": 3, "requires": True, "packages": {"": _NAME}}
    (folder / "package.json").write_text(json.dumps({**_NAME, "private": True}))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder
