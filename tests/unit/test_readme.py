"""README is tested: what it names exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from stewardmon.channels import KINDS as CHANNEL_KINDS
from stewardmon.cli import VERBS, stewardmon
from stewardmon.probes import KINDS as PROBE_KINDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


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
