"""Prometheus' own test scripts, and the runner that must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promqltest.__main__ import main
from tests.promqltest.run import Verdict, run_file
from tests.promqltest.script import ScriptError

DATA = Path(__file__).parents[2] / "promqltest" / "data"
SCRIPTS = sorted(DATA.glob("*.test"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_case_passes_or_says_why_it_was_skipped(script: Path) -> None:
    outcomes = list(run_file(script))
    assert [o for o in outcomes if o.verdict is Verdict.FAILED] == []
    assert any(o.verdict is Verdict.PASSED for o in outcomes)
    for outcome in outcomes:
        if outcome.verdict is Verdict.SKIPPED:
            assert "native" in outcome.why or "experimental" in outcome.why


def verdicts(path: Path, script: str) -> list[Verdict]:
    file = path / "case.test"
    file.write_text(script, encoding="utf-8")
    return [outcome.verdict for outcome in run_file(file)]


LOADED = """
load 1m
    up{job="app"} 1 0 1
    up{job="db"}  1 1 1
"""


@pytest.mark.parametrize(
    "wrong",
    [
        'eval instant at 2m up{job="app"}\n    up{job="app"} 0',
        'eval instant at 2m up{job="app"}',
        'eval instant at 2m up\n    up{job="app"} 1',
        'eval instant at 2m sort(up)\n    expect ordered\n    up{job="db"} 1\n    up{job="app"} 1',
        "eval instant at 2m 1 + 1\n    3",
        'eval instant at 2m ("a")\n    expect string "b"',
        "eval instant at 2m up\n    expect fail",
        "eval instant at 2m up +\n    up 1",
        "eval instant at 2m up / on() up\n    expect fail msg: something else",
        'eval instant at 2m up{job="app"}\n    expect warn\n    up{job="app"} 1',
        'eval instant at 2m rate(up{job="app"}[5m])\n    expect no_info\n    {} 1',
        'eval range from 0 to 2m step 1m up{job="app"}\n    up{job="app"} 1 1 1',
        'eval range from 0 to 2m step 1m up{job="app"}\n    up{job="app"} 1 0',
        'eval instant at 2m up{job="app"}[2m]\n'
        "    expect range vector from 1m to 2m step 60s\n"
        '    up{job="app"} 1 1',
    ],
)
def test_a_wrong_expectation_is_seen(tmp_path: Path, wrong: str) -> None:
    assert verdicts(tmp_path, f"{LOADED}\n{wrong}\n") == [Verdict.FAILED]


def test_only_what_is_native_or_experimental_is_skipped(tmp_path: Path) -> None:
    script = """
load 1m
    h {{schema:0 count:1 sum:1}}x2
    up 1 1 1

eval instant at 1m h
    {} 1

eval instant at 1m limitk(1, up)
    up 1

eval instant at 1m no_such_function(up)
    up 1
"""
    assert verdicts(tmp_path, script) == [Verdict.SKIPPED, Verdict.SKIPPED, Verdict.FAILED]


def test_the_command_names_the_failing_line_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.test"
    file.write_text("eval instant at 0 1\n    1\n\neval instant at 0 1\n    2\n", encoding="utf-8")
    assert main([str(file)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("mine.test:4: failed: ")
    assert out[-1] == "1 passed, 1 failed, 0 skipped"
    assert main([]) == 2
    assert main([str(tmp_path / "absent.test")]) == 2


def test_a_line_that_is_no_command_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"case\.test:1: invalid command"):
        verdicts(tmp_path, "evaluate this\n")
