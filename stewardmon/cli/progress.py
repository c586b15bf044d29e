"""How far long work has come: one line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click


def progress(doing: str) -> Callable[[int, int], None]:
    """Return what long work calls with (done, whole); the line is wiped when all is done."""

    def show(done: int, whole: int) -> None:
        if not sys.stderr.isatty():
            return
        end = "\r\x1b[K" if done >= whole else ""
        click.echo(f"\r{doing}: {done:,} of {whole:,}{end}", nl=False, err=True)

    return show
