"""Every shipped rule is tested, firing and not firing, and says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from stewardmon.config.alerts import load_rule_file
from stewardmon.domain.rule import AlertRule
from stewardmon.rehearsal.unit import run_file

RULES = Path(__file__).parents[2] / "rules"
ALERTS = [
    rule
    for group in load_rule_file(RULES / "alerts.yml").groups
    for rule in group.rules
    if isinstance(rule, AlertRule)
]


async def test_the_shipped_tests_pass() -> None:
    outcome = await run_file(RULES / "alerts.test.yml")
    assert outcome.failures == ()
    assert outcome.checked > 2 * len(ALERTS)


def test_every_rule_is_tested_firing_and_not_firing() -> None:
    tests = yaml.safe_load((RULES / "alerts.test.yml").read_text())["tests"]
    seen = {
        (one["alertname"], bool(one["exp_alerts"]))
        for test in tests
        for one in test["alert_rule_test"]
    }
    assert seen == {(rule.name, fires) for rule in ALERTS for fires in (True, False)}


def test_every_rule_has_a_severity_a_summary_and_a_runbook() -> None:
    for rule in ALERTS:
        annotations = dict(rule.annotations)
        assert rule.labels.value("severity") in {"critical", "warning"}, rule.name
        assert annotations.get("summary"), rule.name
        assert annotations.get("runbook"), rule.name


async def test_a_wrong_expectation_fails_with_its_line(tmp_path: Path) -> None:
    whole = (RULES / "alerts.test.yml").read_text()
    head, *tests = re.split(r"(?=^  - name: )", whole, flags=re.MULTILINE)
    spoilt = {
        "exp_alerts: []": "exp_alerts: [{exp_labels: {job: nobody}}]",
        "level: 2, role": "level: 3, role",
    }
    text = head + "".join(next(test for test in tests if right in test) for right in spoilt)
    for right, wrong in spoilt.items():
        text = text.replace(right, wrong, 1)
    text = text.replace("rule_files: [alerts.yml]", f"rule_files: [{RULES / 'alerts.yml'}]")
    oncall = RULES.parent / "tests/config/matrix/oncall.yml"
    (tmp_path / "t.yml").write_text(text.replace("../tests/config/matrix/oncall.yml", str(oncall)))
    outcome = await run_file(tmp_path / "t.yml")
    assert len(outcome.failures) == 2
    line = text[: text.index("job: nobody")].count("\n")
    assert f"t.yml:{line - 1}" in str(outcome.failures[0])
