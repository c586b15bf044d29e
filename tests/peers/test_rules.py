"""Shipped rules, exported, against the real promtool: accepted, and the same alerts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stewardmon.cli import stewardmon
from stewardmon.domain.vocabulary import BUILT_IN
from tests.support.peers import needs_peer, promtool
from tests.support.short_rules import rules_of

pytestmark = needs_peer("promtool")
ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
ENVIRON = {
    "NEXT_PUBLIC_APP_URL": "http://127.0.0.1:3000",
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:5432/x",
    "OPENAI_API_KEY": "sk-" + "a1b2c3d4" * 5,
}


def _export(folder: Path, rules: Path) -> Path:
    said = CliRunner().invoke(stewardmon, ["rules", "export", "--rules", str(rules)], env=ENVIRON)
    assert said.exit_code == 0, said.output
    exported = folder / "exported.yml"
    exported.write_text(said.output)
    return exported


def test_promtool_accepts_the_export(tmp_path: Path) -> None:
    said = promtool("check", "rules", _export(tmp_path, RULES))
    assert said.returncode == 0, said.stdout + said.stderr


def test_promtool_accepts_every_word_with_everything_beside_it(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [{"name": "Another", "condition": "db_connection_failed"}]
    rules += [rule for word in BUILT_IN for rule in rules_of(word)]
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "alerts.yml").write_text(json.dumps({"alerts": rules}))
    said = promtool("check", "rules", _export(tmp_path, folder))
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{len(rules)} rules found" in said.stdout


def test_promtool_sees_the_alerts_that_we_see(tmp_path: Path) -> None:
    """The tests of the shipped rules, on the exported ones; only pages are ours alone.

    Each test is given the alerts that it asks about, and all recorded series: promtool evaluates
    every rule for every test, and all of them for all of them take it minutes.
    """
    groups = yaml.safe_load(_export(tmp_path, RULES).read_text())["groups"]
    tests = yaml.safe_load((RULES / "alerts.test.yml").read_text())
    del tests["oncall"]
    by_alerts: dict[frozenset[str], list[Any]] = defaultdict(list)
    for test in tests["tests"]:
        test.pop("page_test", None)
        asked = frozenset(one["alertname"] for one in test.get("alert_rule_test", ()))
        by_alerts[asked].append(test)
    files = []
    for number, (alerts, those) in enumerate(by_alerts.items()):
        few = [
            {
                **group,
                "rules": [one for one in group["rules"] if one.get("alert") in {*alerts, None}],
            }
            for group in groups
        ]
        rules = {"groups": [group for group in few if group["rules"]]}
        (tmp_path / f"rules-{number}.yml").write_text(yaml.safe_dump(rules))
        part = {**tests, "rule_files": [f"rules-{number}.yml"], "tests": those}
        files.append(tmp_path / f"tests-{number}.yml")
        files[-1].write_text(yaml.safe_dump(part))
    said = promtool("test", "rules", *files)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("SUCCESS") == len(files) > 50


EXAMPLE = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="a", instance="x"}', values: '0+0x10 1x5 _x3 0x9 stale'}
      - {series: 'errors{job="a"}', values: '0+10x30'}
    alert_rule_test:
      - eval_time: %s
        alertname: Down
        exp_alerts:
          - exp_labels: {job: a, instance: x, severity: page}
            exp_annotations: {summary: '%s'}
    promql_expr_test:
      - expr: errors * 2
        eval_time: 10m
        exp_samples: [{labels: '{job="a"}', value: %s}]
"""
RULE = """
groups:
  - name: g
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 3m
        labels: {severity: page}
        annotations: {summary: '{{ $labels.instance }} is {{ $value | printf "%.1f" }}'}
"""


@pytest.mark.parametrize(
    ("when", "summary", "rate", "passes"),
    [
        ("5m", "x is 0.0", "200", True),
        ("2m", "x is 0.0", "200", False),
        ("12m", "x is 0.0", "200", False),
        ("5m", "x is 1.0", "200", False),
        ("5m", "x is 0.0", "100", False),
    ],
)
def test_promtool_and_we_agree_on_what_passes(
    tmp_path: Path, when: str, summary: str, rate: str, passes: bool
) -> None:
    (tmp_path / "rules.yml").write_text(RULE)
    file = tmp_path / "tests.yml"
    file.write_text(EXAMPLE % (when, summary, rate))
    theirs = promtool("test", "rules", file)
    ours = subprocess.run(
        [sys.executable, "-m", "stewardmon", "rules", "test", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (theirs.returncode == 0) is passes, theirs.stdout + theirs.stderr
    assert (ours.returncode == 0) is passes, ours.stdout + ours.stderr
