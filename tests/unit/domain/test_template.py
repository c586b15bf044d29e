"""Templates of annotations: the same text as Prometheus gives, and never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.labels import Labels
from stewardmon.domain.template import TemplateError, compile_template, expand
from stewardmon.errors import EvaluationError, ExpressionError

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
# What promtool 2.42 printed for these templates (`promtool test rules`), errors included.
FROM_PROMTOOL = json.loads((Path(__file__).parent / "data/template_cases.json").read_text())


def ask(expression: str) -> list[tuple[Labels, float]]:
    """Answer like a server that holds two series."""
    a = (Labels({"__name__": "q", "k": "a"}), 1.5)
    b = (Labels({"__name__": "q", "k": "b"}), 2.0)
    answers = {"q": [b, a], 'q{k="a"}': [a], "none": []}
    if expression not in answers:
        raise EvaluationError("unknown series")
    return answers[expression]


def text_of(
    template: str,
    *,
    value: float = 5.25,
    labels: dict[str, str] | None = None,
    name: str = "A",
    now: datetime = NOW,
) -> str:
    return expand(
        template,
        {"job": "app", "instance": "a.b.c:9090"} if labels is None else labels,
        value,
        external_labels={"env": "prod"},
        external_url="http://mon.example/pre",
        query=ask,
        now=now,
        name=name,
    )


@pytest.mark.parametrize("case", FROM_PROMTOOL, ids=lambda case: f"{case['case']}")
def test_texts_are_those_of_promtool(case: dict[str, Any]) -> None:
    number = case["case"]
    labels = {"case": str(number), "job": "app", "instance": "a.b.c:9090", "severity": "x"}
    found = text_of(case["template"], value=float(case["value"]), labels=labels, name=f"A{number}")
    assert found == case["text"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no action", "no action"),
        ("{{ externalURL }} {{ pathPrefix }}", "http://mon.example/pre /pre"),
        ("{{ now | humanizeTimestamp }}", "2026-01-05 09:30:00 +0000 UTC"),
        ("{{ toDuration 5400 }} {{ (toDuration 90).Seconds }}", "1h30m0s 90"),
        ("{{ toDuration 0.0015 }} {{ toDuration 0 }} {{ toDuration -61.5 }}", "1.5ms 0s -1m1.5s"),
        ('{{ (toTime 0).Format "15:04" }} {{ (toTime 3600).Hour }}', "00:00 1"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ humanizeDuration (toDuration 90) }}", "1m 30s"),
        ("{{ urlQueryEscape `a b` }}", "a+b"),
        ("{{ match `(?i)APP` $labels.job }}", "true"),
    ],
)
def test_what_prometheus_3_adds(template: str, text: str) -> None:
    assert text_of(template) == text


@pytest.mark.parametrize(
    ("template", "column", "hint"),
    [
        ("{{ $labels.job", 1, "not closed"),
        ("{{ if true }}x", 4, "{{end}} is missing"),
        ("{{ end }}", 4, "nothing is open"),
        ("{{ humanise $value }}", 4, "did you mean humanize?"),
        ("{{ $vlaue }}", 4, "undefined variable $vlaue"),
        ("{{ $value * 100 }}", 11, "no arithmetic"),
        ("{{ }}", 4, "a value is missing"),
        ('{{ "abc }}', 4, "does not end"),
        ("{{ `abc }}", 4, "does not end"),
        ("{{/* x }}", 1, "not closed"),
        ("{{/* x */ }}", 8, "must end with */}}"),
        ("{{ (1 }}", 1, "not closed"),
        ("{{ 1) }}", 5, "without its ("),
        ("{{ break }}", 4, "outside {{range}}"),
        ("{{ 1 | 2 }}", 8, "only a function"),
        ("{{ print | }}", 12, "missing after |"),
        ("{{ 12abc }}", 4, "not a number"),
        ("{{ define `x` }}{{ $value }}{{ end }}", 20, "sees only what it is given"),
        ("{{ define `x` }}a{{ end }}{{ define `x` }}b{{ end }}", 30, "defined twice"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", 27, "second {{else}}"),
        ("{{ template x }}", 13, "a name in quotes"),
        ("{{ $a, $b := 1 }}", 6, "too many variables"),
        ("{{ range $a, 1 }}{{ end }}", 14, "range can only set"),
        ('{{ "\\q" }}', 5, "no escape"),
        ("{{ 99999999999999999999 }}", 4, "not a number"),
        ("{{ 'ab' }}", 4, "not one character"),
        ("{{ true.x }}", 8, "unexpected ."),
        ("{{ end", 1, "not closed"),
        ("{{" + "(" * 200 + "1" + ")" * 200 + "}}", 53, "nested deeper"),
        ("x" * 70_000, 1, "are allowed"),
    ],
)
def test_broken_templates_are_refused_with_their_column(
    template: str, column: int, hint: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(template)
    assert hint in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{{ range 1000000000 }}{{ end }}", "more than 100000 steps"),
        ("{{ range 100000 }}xxxxxxxx{{ end }}", "larger than 64 KiB"),
        ("{{ define `r` }}{{ template `r` }}{{ end }}{{ template `r` }}", "recursive"),
        ('{{ printf "%99999999d" 1 }}', "a width above"),
        ('{{ $x := "ab" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}', "larger than 64 KiB"),
        ('{{ range 999 }}{{ query "q" }}{{ end }}', "more than 200 queries"),
        ('{{ reReplaceAll "" (printf "%9999d" 1) "abcdefgh" }}', "larger than 64 KiB"),
        ('{{ query "absent" }}', "error calling query: unknown series"),
        ('{{ printf "%#f" $value }}', "not supported"),
        ("{{ $value", "error parsing template __alert_A"),
    ],
)
def test_what_costs_too_much_or_fails_becomes_text(template: str, hint: str) -> None:
    found = text_of(template)
    assert found.startswith("<error expanding template: error ")
    assert hint in found


def test_rendering_says_what_failed_and_where() -> None:
    template = compile_template("ok\n{{ toUpper $value }}")
    with pytest.raises(TemplateError, match=r'executing "__alert_Slow" at <\$value>: wrong type'):
        template.render(
            {}, 1.0, external_labels={}, external_url="", query=ask, now=NOW, name="Slow"
        )


def test_a_compiled_template_tells_its_failure_as_text() -> None:
    template = compile_template("{{ toUpper $value }}")
    found = template.expand({}, 1.0, external_labels={}, external_url="", query=ask, now=NOW)
    assert found.startswith("<error expanding template: error executing template __alert_: ")


def test_a_missing_label_reads_as_empty() -> None:
    assert text_of("[{{ $labels.nope }}{{ .Labels.nope }}]") == "[]"


@given(st.text(max_size=60))
def test_any_text_is_expanded_or_told_as_an_error(text: str) -> None:
    assert isinstance(text_of(text), str)


WORDS = (
    "{{",
    "}}",
    "{{-",
    "-}}",
    "(",
    ")",
    "|",
    ":=",
    "=",
    ",",
    ".",
    ".Labels",
    "$labels",
    "$labels.job",
    "$value",
    "$x",
    "$",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "1",
    "-2.5",
    "1e3",
    "'x'",
    '"q"',
    "`a`",
    "eq",
    "ne",
    "lt",
    "gt",
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "humanize",
    "humanizeDuration",
    "match",
    "reReplaceAll",
    "first",
    "value",
    "label",
    "query",
    "sortByLabel",
    "args",
    "toTime",
    "now",
    ".Value",
    ".Year",
    "$i",
    ",",
    "$e",
    ":=",
    '"%v',
    "%d",
    "%s",
    '%x"',
    "stripPort",
    "stripDomain",
    "title",
    "humanizeTimestamp",
    "humanizePercentage",
    "call",
)


@given(
    st.lists(st.sampled_from([*WORDS, " ", " "]), max_size=30),
    st.floats(),
)
def test_any_words_of_the_language_are_expanded_or_told(words: list[str], value: float) -> None:
    assert isinstance(text_of("{{ " + " ".join(words) + " }}", value=value), str)


@given(
    function=st.sampled_from(sorted({w for w in WORDS if w.isalnum() and w.isalpha()})),
    operands=st.lists(
        st.sampled_from(
            ["$value", "$labels", '"q"', "5", "(query `q`)", "nil", "true", "(args 1)", ".", "-1",
             "(toTime 5)", "(query `q` | first)", "`(`", "1.5", "`%[2]*d%+.3q`", "$labels.nope"]
        ),
        max_size=4,
    ),
    value=st.floats(),
)  # fmt: skip
def test_any_arguments_give_a_text(function: str, operands: list[str], value: float) -> None:
    assert isinstance(text_of(f"{{{{ {function} {' '.join(operands)} }}}}", value=value), str)
