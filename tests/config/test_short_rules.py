"""Every word of the vocabulary with everything that may stand beside it: explained or refused.

What promtool says of the export of them all: tests/peers/test_rules.py.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from stewardmon.config.alerts import load_rule_file
from stewardmon.config.loading import load
from stewardmon.domain.condition import LONGEST_WINDOW
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.units import Dimension
from stewardmon.domain.vocabulary import BUILT_IN
from stewardmon.domain.word import Word
from stewardmon.errors import ConfigError
from stewardmon.promql import plan
from stewardmon.rehearsal.explain import explain
from tests.support.short_rules import amounts, rules_of, strange

WORDS: Final = list(BUILT_IN)
each_word = pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)


def written(folder: Path, rules: list[dict[str, object]]) -> Path:
    file = folder / "alerts.yml"
    file.write_text(json.dumps({"alerts": rules}, indent=1))  # JSON is YAML, a key a line
    return file


def loaded(folder: Path, rules: list[dict[str, object]]) -> list[AlertRule]:
    (group,) = load_rule_file(written(folder, rules)).groups
    return [rule for rule in group.rules if isinstance(rule, AlertRule)]


ANOTHER: Final = {"name": "Another", "condition": "db_connection_failed"}


def test_the_vocabulary_has_a_word_of_every_kind() -> None:
    assert len(WORDS) > 40
    assert {word.unit.dimension for word in WORDS} == set(Dimension)


@each_word
def test_a_word_loads_and_is_explained_with_everything_beside_it(
    word: Word, tmp_path: Path
) -> None:
    entries = [ANOTHER, *rules_of(word)]
    rules = loaded(tmp_path, entries)
    assert len(rules) == len(entries)
    asked: list[str] = []

    def read(expr: str) -> str:
        asked.append(expr)
        plan(expr)  # what is asked of a daemon is PromQL
        return "42"

    config = load(tmp_path, {}, rules_alone=True)
    told = "\n".join(explain(config, read=read)).split("\n\n")
    for rule, entry, lines in zip(rules, entries, told, strict=False):
        plan(rule.expr)
        said = dict(line.strip().split(None, 1) for line in lines.splitlines()[1:])
        assert said["condition"] == entry["condition"]
        assert said["PromQL"] == rule.expr
        assert said["window"] == window_of(entry, word if entry is not ANOTHER else None)
        assert said["reads"] == "now  42"
        assert ("clear" in said) == ("clear" in entry)
        assert ("quiet" in said) == bool(entry.get("depends_on"))
    assert len(asked) == len(rules)


def window_of(entry: dict[str, object], word: Word | None) -> str:
    """Return the window that a condition means: the one written, else the rule's duration."""
    condition = str(entry["condition"])
    if "[" in condition:
        return condition.partition("[")[2].partition("]")[0]
    looks = word is not None and (word.windowed or "(" in condition)
    return "5m" if looks else "the newest sample"


def refused(folder: Path, **rule: object) -> str:
    """Return the one mistake of a file with one rule; keys stand a line each, from line 4 on."""
    with pytest.raises(ConfigError) as caught:
        load_rule_file(written(folder, [{"name": "R", **rule}]))
    (mistake,) = caught.value.mistakes
    return str(mistake).removeprefix(f"{folder}/")


@each_word
def test_a_unit_that_does_not_fit_is_refused_where_it_stands(word: Word, tmp_path: Path) -> None:
    head = '   "condition": "'
    if word.is_question:
        said = refused(tmp_path, condition=f"{word.name} > 5%")
        assert said.startswith(f"alerts.yml:5:{len(head) + 1}: {word.name} is a yes/no question")
        return
    for unit in strange(word.unit):
        condition = f"{word.name} > 5{unit.name}"
        said = refused(tmp_path, condition=condition)
        column = len(head) + condition.index("5") + 1
        assert said.startswith(f"alerts.yml:5:{column}: 5{unit.name} is "), said
        said = refused(tmp_path, condition=f"{word.name} > {amounts(word)[0]}", clear=condition)
        column += len('"clear": "') - len('"condition": "')
        assert said.startswith(f"alerts.yml:6:{column}: 5{unit.name} is "), said


@each_word
def test_a_window_a_function_or_a_count_that_cannot_be_is_refused(
    word: Word, tmp_path: Path
) -> None:
    at = "alerts.yml:5:18: "
    plain = word.name if word.is_question else f"{word.name} > {amounts(word)[0]}"
    if not word.windowed:
        windowed = plain.replace(word.name, f"{word.name}[5m]")
        assert "window" in refused(tmp_path, condition=windowed)
    else:
        long = format_duration(LONGEST_WINDOW + timedelta(days=1))
        condition = plain.replace(word.name, f"{word.name}[{long}]")
        assert refused(tmp_path, condition=condition).startswith(at)
    if word.series is None:
        condition = plain.replace(word.name, f"max({word.name})")
        assert refused(tmp_path, condition=condition).startswith("alerts.yml:5:")
    if word.counted is None:
        said = refused(tmp_path, condition=plain, min_samples=3)
        assert said.startswith(at)
        assert "min_samples cannot count" in said


@each_word
def test_a_threshold_that_is_never_or_always_met_is_refused(word: Word, tmp_path: Path) -> None:
    if word.is_question or word.low == float("-inf"):
        return
    for condition in (f"{word.name} < 0", f"{word.name} >= 0"):
        said = refused(tmp_path, condition=condition)
        column = len('   "condition": "') + len(condition)
        assert said.startswith(f"alerts.yml:5:{column}: "), said
        assert "can never be met" in said or "is always met" in said
    if word.high == 1.0:
        assert "can never be met" in refused(tmp_path, condition=f"{word.name} > 100%")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("no_data", "ignore", "alerts.yml:6:"),
        ("min_samples", -1, "alerts.yml:6:"),
        ("min_samples", "many", "alerts.yml:6:"),
        ("clear", "error_rate", "alerts.yml:6:"),
        ("clear", "eror_rate < 1%", "alerts.yml:6:"),
        ("depends_on", {"a": 1}, "alerts.yml:6:"),
        ("duration", "5 parsecs", "alerts.yml:6:"),
        ("level", 0, "alerts.yml:6:"),
        ("also", "error_rate >", "alerts.yml:6:"),
    ],
)
def test_a_wrong_key_is_told_with_its_place(
    key: str, value: object, says: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, condition="error_rate > 5%", **{key: value}).startswith(says)
