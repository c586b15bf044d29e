"""Every file in bad/ has one mistake, said at its place: its `# says:` lines are all that is said.

A line that ends in … is the beginning of what is said: the rest belongs to another part's tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stewardmon.config.loading import load
from stewardmon.errors import ConfigError, Mistake
from tests.config.environment import ENVIRON, EXAMPLES

BAD = Path(__file__).parent / "bad"
SAYS = "# says: "


def said(folder: Path) -> list[Mistake]:
    with pytest.raises(ConfigError) as refused:
        load(folder, ENVIRON)
    return list(refused.value.mistakes)


@pytest.mark.parametrize("bad", sorted(BAD.glob("*.yml")), ids=lambda path: path.stem)
def test_a_mistake_is_said_at_its_place(bad: Path, tmp_path: Path) -> None:
    lines = bad.read_text().splitlines()
    expected = [line.removeprefix(SAYS) for line in lines if line.startswith(SAYS)]
    for example in EXAMPLES.glob("*.yml"):
        shutil.copy(example, tmp_path)
    shutil.copy(bad, tmp_path / f"{bad.stem.partition('-')[0]}.yml")

    found = [str(mistake) for mistake in said(tmp_path)]

    assert expected
    for wanted, got in zip(expected, found, strict=True):
        assert got.startswith(wanted[:-1]) if wanted.endswith("…") else got == wanted


def test_all_mistakes_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    for name in ("probes-unknown-kind", "alerts-unknown-key", "oncall-unknown-zone"):
        shutil.copy(BAD / f"{name}.yml", tmp_path / f"{name.partition('-')[0]}.yml")

    files = [mistake.file for mistake in said(tmp_path)]

    assert files == ["alerts.yml", "oncall.yml", "probes.yml"]
