"""Rules without anything to watch: they can be explained and exported, but not run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from stewardmon.cli.rules import command
from stewardmon.config.loading import load
from stewardmon.errors import ConfigError

RULES = """alerts:
  - name: High Error Rate
    condition: "error_rate > 5%"
    duration: 5m
    severity: critical
    depends_on: [nobody-knows]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "alerts.yml").write_text(RULES)
    return tmp_path


@pytest.mark.parametrize("asked", [["export"], ["explain", "--offline"]])
def test_rules_alone_are_exported_and_explained(
    folder: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NEXT_PUBLIC_APP_URL", "DATABASE_URL", "OPENAI_API_KEY", "SUPABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    done = CliRunner().invoke(command, [*asked, "--rules", str(folder)])
    assert done.exit_code == 0, done.output
    assert "High Error Rate" in done.stdout
    said = done.stderr if asked == ["export"] else done.stdout  # an export is for a file
    assert "depends_on names exist is not checked" in said
    assert "is not checked" not in done.stdout or asked != ["export"]


def test_a_daemon_still_needs_something_to_watch(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is nothing to watch"):
        load(folder, {})


def test_names_are_checked_where_probes_are_written(folder: Path) -> None:
    (folder / "probes.yml").write_text(
        "probes:\n  - {name: shop, kind: http, target: 'http://127.0.0.1:9/'}\n"
    )
    with pytest.raises(ConfigError, match="nobody-knows"):
        load(folder, {}, rules_alone=True)


def test_a_misnamed_probes_file_is_not_passed_over(folder: Path) -> None:
    (folder / "probes.yaml").write_text("probes: []\n")
    with pytest.raises(ConfigError, match=r"call it probes\.yml"):
        load(folder, {}, rules_alone=True)
