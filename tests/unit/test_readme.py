"""README is tested: what it names exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click import Context, Group
from click.testing import CliRunner

from stewardmon.channels import KINDS as CHANNEL_KINDS
from stewardmon.cli import VERBS, stewardmon
from stewardmon.config.alerts import load_rule_file
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.runbooks import RUNBOOKS, topic
from stewardmon.probes import KINDS as PROBE_KINDS
from stewardmon.rehearsal.preflight import NAMES as CHECK_LISTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RULES = ROOT / "rules/alerts.yml"


def section(title: str) -> str:
    """Return the text under a heading, up to the next one of any depth."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#+ |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def test_every_command_is_named_and_every_name_is_a_command() -> None:
    named = set(re.findall(r"^\| `stewardmon (\w+)`", section("Commands"), re.MULTILINE))
    assert named == set(VERBS)


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_command_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(stewardmon, [verb, "--help"])
    assert result.exit_code == 0, result.output


def test_every_probe_kind_is_named_and_every_name_is_a_kind() -> None:
    assert set(re.findall(r"^\| `(\w+)`", section("Probe kinds"), re.MULTILINE)) == set(PROBE_KINDS)


def test_every_channel_kind_is_named_and_every_name_is_a_kind() -> None:
    named = set(re.findall(r"`(\w+)`", section("Channel kinds")))
    assert named == set(CHANNEL_KINDS)


def test_every_setting_of_the_daemon_is_named() -> None:
    source = (ROOT / "stewardmon/config/environment.py").read_text()
    known = set(re.findall(r'"(STEWARDMON_\w+)"', source))
    assert known <= set(re.findall(r"`(STEWARDMON_\w+)`", section("Settings of the daemon")))


def test_every_file_that_readme_names_exists() -> None:
    for path in re.findall(r"`((?:rules|stewardmon|tests)/[\w/.]+\.(?:yml|py))`", README):
        if "ping" not in path:
            assert (ROOT / path).exists(), path


def test_every_incident_verb_is_named() -> None:
    from stewardmon.cli.incident import command

    (line,) = re.findall(r"^\| `stewardmon incident` \| (.*) \|$", README, re.MULTILINE)
    assert set(re.findall(r"\w+", line)) == set(command.commands)


# The 51 systems of the guide

_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in section("The 51 systems of the guide").splitlines()
    if re.match(r"\| \d", line)
]
_STATES = ("watched", "on request", "not yet", "unknown")


def _marked(pattern: str) -> set[str]:
    return {name for row in _ROWS for name in re.findall(pattern, row[2])}


def test_the_table_has_51_rows_and_each_says_how_it_stands() -> None:
    assert [row[0] for row in _ROWS] == [str(number) for number in range(1, 52)]
    for number, system, shown_by, state in _ROWS:
        assert system, number
        assert state.startswith(_STATES), (number, state)
        assert bool(shown_by) != state.startswith("not yet"), (number, "nothing shows it")


def test_what_is_watched_names_what_watches_it_and_what_is_on_request_a_command() -> None:
    for number, _, shown_by, state in _ROWS:
        words = re.findall(r"`([^`]+)`", shown_by)
        watching = {one for one in words if one in {*PROBE_KINDS, *RUNBOOKS}}
        rules = re.findall(r"\*([^*]+)\*", shown_by)
        commands = [one for one in words if one.startswith("stewardmon ")]
        if "watched" in state:
            own = [one for one in commands if one.split()[1] in ("report", "oncall", "check")]
            assert watching or rules or own, (number, "nothing watches it")
        if "on request" in state:
            assert commands, (number, "no command shows it")


def test_a_rule_pages_for_the_runbook_whose_row_names_it() -> None:
    topics = {
        rule.name: topic(dict(rule.annotations).get("runbook", ""), rule.expr)
        for group in load_rule_file(RULES).groups
        for rule in group.rules
        if isinstance(rule, AlertRule)
    }
    for _, _, shown_by, _ in _ROWS:
        for runbook in re.findall(r"evidence for the runbook `([^`]+)`", shown_by):
            for name in re.findall(r"\*([^*]+)\*", shown_by):
                assert topics[name] == runbook, (runbook, name)


def test_every_rule_of_the_table_is_shipped() -> None:
    shipped = {rule.name for group in load_rule_file(RULES).groups for rule in group.rules}
    assert _marked(r"\*([^*]+)\*") <= shipped


def test_every_kind_command_and_runbook_of_the_table_exists() -> None:
    for code in _marked(r"`([^`]+)`"):
        verb, *rest = code.removeprefix("stewardmon ").split()
        if not code.startswith("stewardmon "):
            assert code in {*PROBE_KINDS, *RUNBOOKS}, code
            continue
        assert verb in VERBS, code
        command = stewardmon.get_command(Context(stewardmon), verb)
        if rest and isinstance(command, Group):
            assert rest[0] in command.commands, code
        elif verb == "preflight":
            assert set(rest) <= set(CHECK_LISTS), code


def test_every_picture_that_readme_shows_is_there_and_small() -> None:
    pictures = re.findall(r'src="(docs/[\w-]+\.png)"', README)
    assert len(pictures) >= 2
    for path in pictures:
        assert (ROOT / path).stat().st_size < 150_000, path
