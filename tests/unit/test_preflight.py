"""The preflight command: its answer is its exit code, and a wrong name is wrong use."""

from __future__ import annotations

import json

from click.testing import CliRunner

from stewardmon.cli import stewardmon


def test_the_command_says_no_and_for_programs_too() -> None:
    result = CliRunner(env={"NODE_ENV": "test"}).invoke(
        stewardmon, ["preflight", "env", "--json"], standalone_mode=False
    )
    assert result.return_value == 1
    report = json.loads(result.output)
    assert report["ok"] is False
    assert {check["list"] for check in report["checks"]} == {"env"}


def test_a_list_that_is_none_is_wrong_use() -> None:
    result = CliRunner().invoke(stewardmon, ["preflight", "environment"], standalone_mode=False)
    assert "there is no check-list 'environment'; there are env, db" in str(result.exception)
