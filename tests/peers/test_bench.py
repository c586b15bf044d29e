"""Every benchmark runs, as short as it can: to see that it works, never how fast it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.peers import needs_peer

ROOT: Final = Path(__file__).parents[2]
SHORT: Final = {
    "start": ["--seconds", "0.2", "--settle", "0", "--no-bounds"],
    "rules": ["--seconds", "1", "--targets", "2", "--long", "1", "--no-bounds"],
    "stack": [
        "--targets",
        "2",
        "--settle",
        "0",
        "--seconds",
        "0.2",
        "--canaries",
        "0",
        "--no-bounds",
    ],
    "scale": ["--probes=20", "--rules=10", "--settle=0", "--seconds=0.2", "--no-bounds"],
    "replay": ["--days", "0.02", "--probes", "3", "--no-bounds"],
}
FOUND: Final = {
    "start": "start to first probe",
    "rules": "24h against 5m",
    "stack": "CPU, share of the stack's",
    "scale": "20 probes: missed ticks",
    "replay": "rules replay: time",
}


@needs_peer("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter", "vmalert")
@pytest.mark.parametrize("name", SHORT)
def test_a_benchmark_runs_and_writes_what_it_found(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *SHORT[name],
         "--json", str(tmp_path / "found")],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found").read_text())
    assert FOUND[name] in {figure["name"] for figure in found}, done.stdout
    assert all(isinstance(figure["value"], float) for figure in found)


SAYING: Final = {
    "storm": (["--alerts", "200", "--acks", "3"], "µs CPU an alert"),
    "storm_rules": (["--alerts", "40", "--names", "2", "--acks", "3"], "40 alerts fired"),
    "web": (["--rounds", "1"], "/metrics: the event loop was away"),
    "probes": (["--seconds", "0.05"], "of one plain httpx request"),
    "crash": (["--kills", "2"], "  lost 0  "),
}


@needs_peer("prometheus-alertmanager")
@pytest.mark.parametrize("name", SAYING)
def test_a_benchmark_says_what_it_took(name: str) -> None:
    short, line = SAYING[name]
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *short],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert line in done.stdout, done.stdout + done.stderr
    assert done.returncode in {0, 1}  # within bounds or not: no matter here
    assert "Traceback" not in done.stderr
