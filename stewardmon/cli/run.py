"""`stewardmon run`: the daemon."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

# structlog draws with rich, uvicorn reloads with watchfiles, wherever they find them. The daemon
# does neither; together they are 6 MB. httpcore looks for sniffio on the disk again and again: a
# third of what a request costs.
UNWANTED: Final = ("greenlet", "rich", "sniffio", "watchfiles")


@click.command()
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")
@click.option("--state", help="Where the state is kept: a path or postgresql://…")
@click.option("--listen", help="HOST:PORT of the pages and interfaces.")
@click.option("--location", help="What this daemon calls itself.")
def command(
    rules: Path | None, state: str | None, listen: str | None, location: str | None
) -> None:
    """Watch, decide and page until stopped.

    Settings come from flags, then from STEWARDMON_RULES, STEWARDMON_STATE, STEWARDMON_LISTEN,
    STEWARDMON_LOCATION, STEWARDMON_TOKEN, STEWARDMON_PUBLIC_URL and the guide's own variables.
    """
    # What a start makes stays: looking through it for garbage, again and again, is a tenth of the
    # start. The process turns it on again as soon as the configuration is read.
    gc.disable()
    try:
        with absent(UNWANTED):
            from stewardmon.config import apart
            from stewardmon.config.environment import default_rules, read_environment

            runtime = read_environment(
                os.environ,
                rules=None if rules is None else str(rules),
                state=state,
                listen=listen,
                location=location,
            )
            load_config = apart.loader(runtime.rules or default_rules(), os.environ)
            # While that process reads the files, this one loads what it does with them.
            from stewardmon.process import main

            main(runtime, load_config)
    finally:
        gc.enable()


@contextmanager
def absent(names: tuple[str, ...]) -> Iterator[None]:
    """Let no import find these packages: None in `sys.modules` says that there is none."""
    modules: dict[str, Any] = sys.modules
    blocked = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(blocked))
    try:
        yield
    finally:
        for name in blocked:
            del modules[name]
