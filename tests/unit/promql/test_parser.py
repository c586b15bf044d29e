"""Reading expressions: what is refused, where it points, and agreement with promql-parser."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stewardmon.errors import ExpressionError
from stewardmon.promql import ValueType, plan
from stewardmon.promql.parser import parse

REFUSED = [
    ("", 1, "no expression"),
    ("up +", 5, "unexpected end of input"),
    ("sum(up", 7, 'expected "," or ")"'),
    ("up)", 3, 'unexpected ")"'),
    ("up{", 4, "label matching"),
    ("up{job}", 7, "matching operator"),
    ("up{job=app}", 8, "expected string"),
    ('up{job="app}', 8, "unterminated"),
    ('up{job=~"a("}', 9, "invalid regular expression"),
    ('up{job=~"((a{100}){100}){100}"}', 9, "invalid regular expression"),
    (r'up{"\xff"="a"}', 4, "invalid label name"),
    (r'sum by ("\xff") (up)', 9, "invalid label name"),
    ('up{job="a" or job="b"}', 12, "not PromQL"),
    ('up{__name__="down"}', 1, "metric name must not be set twice"),
    ("{}", 1, "non-empty matcher"),
    ('{job=~".*"}', 1, "non-empty matcher"),
    ("up[5m", 6, 'expected ":" or "]"'),
    ("up[]", 4, "expected number or duration"),
    ("up[0s]", 4, "greater than 0"),
    ("up[5x]", 4, "bad number or duration"),
    ("up[1s5m]", 6, "not a duration"),
    ("up[1000y]", 4, "292 years"),
    ("(up)[5m]", 5, "ranges only allowed for vector selectors"),
    ("up offset 5m [5m]", 14, "no offset modifiers allowed before range"),
    ("up offset 5m offset 5m", 21, "multiple times"),
    ("sum(up) offset 5m", 16, "must be preceded by"),
    ("up @ now", 6, "expected timestamp"),
    ("up @ inf", 4, "out of bounds"),
    ("rat(up[5m])", 1, 'unknown function with name "rat"'),
    ("1 + holt_winters(up[5m], 0.5, 0.5)", 5, "double_exponential_smoothing"),
    ("mad_over_time(up[5m])", 1, "experimental"),
    ("1 > bool info(up)", 10, "experimental"),
    ("limitk(2, up)", 1, "experimental"),
    ("rate(up[5m] smoothed)", 13, "experimental"),
    ("up[step()]", 4, "experimental"),
    ("up[5m+5m]", 6, "experimental"),
    ("up + fill(0) down", 6, "experimental"),
    ("up </ 5", 4, "native histograms"),
    ("rate(up)", 6, "expected type range vector"),
    ("sum(up[5m])", 5, "expected type instant vector"),
    ("rate(up[5m], 1)", 1, "expected 1 argument(s)"),
    ("round(up, 1, 2)", 1, "at most 2"),
    ("label_join(up)", 1, "at least 3"),
    ("topk(up)", 1, "wrong number of arguments"),
    ("topk(up, up)", 6, "expected type scalar"),
    ("count_values(5, up)", 14, "expected type string"),
    ("1 > 2", 3, "must use BOOL"),
    ("up and 1", 4, "set operator"),
    ("up + bool up", 4, "bool modifier"),
    ("up and on(job) group_left() up", 4, "no grouping allowed"),
    ("up + on(job) group_left(job) up", 4, "must not occur"),
    ("up + on(job) 5", 4, "between instant vectors"),
    ('-"text"', 1, "unary expression"),
    ("rate(up[5m])[5m]", 13, "ranges only allowed"),
    ("up[5m][5m:]", 1, "subquery is only allowed on instant vector"),
    ('label_replace(up, "a", "$1", "b", "(")', 35, "invalid regular expression"),
    ('label_replace(up, "", "$1", "b", ".*")', 19, "invalid label name"),
    ("9" * 400, 1, "does not fit"),
    ("up ! down", 4, "unexpected character"),
    ("sum by (job, (up)", 14, "expected label"),
    ("bool", 1, "expected an expression"),
    ("up[5m] + 1", 1, "only scalar and instant vector"),
    ('"\\q"', 2, "escape sequence"),
    ("(" * 500 + "1" + ")" * 500, 201, "nests deeper"),
    ("1" + "+1" * 5000, 399, "nests deeper"),
]


@pytest.mark.parametrize(("text", "column", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_mistake_is_named_with_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        plan(text)
    assert message in str(caught.value)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)


ACCEPTED = [
    "sum by (job) (rate(http_requests_total[5m])) / on(job) group_left() up",
    'up{job=~"a|b", instance!~"c.*", env!="", x=""}',
    '{"metric.with.dots", "label name"="x"}',
    'sum by ("label name") ({"metric.with.dots"})',
    "up offset -5m @ 1.5e3",
    "up @ end() offset 5m",
    "max_over_time(rate(up[5m])[30m:1m] offset 1h)",
    "rate(up[300])",
    "5m + 1_000 + 0x1F + 010 + .5 + 1e3 + Inf + -NaN",
    "sum(up) without (job)",
    "count_values without (a) ('v', up)",
    "by + offset + sum + anchored + start",
    "-up ^ 2 ^ -1",
    "up == bool 5",
    "up # a comment\n  + up",
    "hour() + day_of_week(up)",
    "ALERTS:recorded:5m > 1",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_default_prometheus_accepts_is_accepted(text: str) -> None:
    plan(text)


WORDS = st.sampled_from(
    [
        "up",
        "sum",
        "rate",
        "(",
        ")",
        "[5m]",
        "[5m:1m]",
        "+",
        "-",
        "*",
        "^",
        "==",
        "bool",
        "and",
        "or",
        "unless",
        "by",
        "(job)",
        "{",
        "}",
        "1",
        "2.5",
        "offset",
        "5m",
        "@",
        ",",
        "on",
        "ignoring",
        "group_left",
        "time()",
        "abs",
        "topk",
        '"x"',
        "start()",
        "end()",
        '{a="b"}',
    ]
)


def accepted_there(text: str) -> bool:
    try:
        promql_parser.parse(text)
    except ValueError:
        return False
    return True


def accepted_here(text: str) -> bool:
    try:
        plan(text)
    except ExpressionError as error:
        # The other parser reads some of what default Prometheus refuses: experimental functions,
        # a plus before a string.
        wider = any(word in str(error) for word in ("experimental", "unary expression"))
        return wider and accepted_there(text)
    return True


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=9).map(" ".join))
def test_any_text_is_judged_as_promql_parser_judges_it(text: str) -> None:
    assert accepted_here(text) == accepted_there(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_no_text_brings_the_parser_down(text: str) -> None:
    columns = [0]
    try:
        parse(text)
    except ExpressionError as error:
        columns.append(error.column)
    assert 0 <= columns[-1] <= len(text) + 1


def test_a_plan_says_how_far_back_it_looks_and_what_it_selects() -> None:
    planned = plan("max_over_time(rate(a[5m] offset 1m)[30m:1m] offset 1h) + b")
    assert planned.longest_range_ms == (60 + 30 + 5 + 1) * 60_000
    assert [str(matchers[-1]) for matchers in planned.selectors] == [
        '__name__="a"',
        '__name__="b"',
    ]
    assert planned.value_type is ValueType.VECTOR
    assert plan("up").longest_range_ms == 5 * 60_000
    assert plan("rate(up[1h] @ 5)").longest_range_ms == 0
    assert plan("time()").longest_range_ms == 0
