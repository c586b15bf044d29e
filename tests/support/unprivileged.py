"""Do without root's right to read everything, for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stewardmon.probes import KINDS

_NOBODY: Final = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Let this process have nobody's rights while the block runs, where it has root's."""
    root = os.geteuid() == 0
    tuple(KINDS.values())  # nobody may not read a clone that lies in a folder of root's alone
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that anybody may look into: pytest's own are its user's alone."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
