"""The command line: one file a verb, each loaded only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from stewardmon import __version__
from stewardmon.errors import StewardmonError, UsageError

# Each verb with the line that `--help` shows, so that help needs none of their imports.
VERBS: Final = {
    "run": "Watch, decide and page until stopped: the daemon.",
    "check": "Say everything that is wrong with the configuration.",
    "demo": "See an outage from fault to resolve on a simulated platform.",
    "probe": "Ask one probe once and show what it measured.",
    "preflight": "Go through the guide's check-lists once, before or after a deployment.",
    "load": "Load the app for a while and judge it by the guide's benchmarks.",
    "gate": "Say whether a deployment may go on: switch, promote, hold, abort.",
    "rules": "Explain, test, export and replay rules.",
    "oncall": "Say who is on call, show the calendar, drill a level.",
    "incident": "List, show, acknowledge, snooze and resolve incidents; say why.",
    "silence": "Add, list and expire silences.",
    "top": "Watch the status page in a terminal.",
    "report": "Print a report of the recorded history; maintenance tasks.",
    "query": "Ask a running daemon a PromQL expression.",
    "version": "Print the version.",
}


class Verbs(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = import_module(f"stewardmon.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stewardmon")
def stewardmon() -> None:
    """Watch the app, its database and its AI provider; page people until one has answered."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; mistakes are sentences: exit 0 fine, 1 the answer is no, 2 wrong use."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        result: Any = stewardmon.main(
            None if arguments is None else list(arguments),
            prog_name="stewardmon",
            standalone_mode=False,
        )
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return 2
    except UsageError as wrong:
        click.echo(f"stewardmon: {wrong}", err=True)
        return 2
    except StewardmonError as error:
        click.echo(str(error), err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        return 0
    return result if isinstance(result, int) else 0
