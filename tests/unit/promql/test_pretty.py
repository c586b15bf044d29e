"""Printed expressions: read back as the same tree, and printing them again changes nothing."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from stewardmon.errors import ExpressionError
from stewardmon.promql import parse
from stewardmon.promql.nodes import VectorSelector
from stewardmon.promql.pretty import WIDEST, pretty
from tests.support.expressions import Generator


def bare(node: Any) -> Any:
    """Return a tree without places in the text; the order of matchers says nothing."""
    if isinstance(node, VectorSelector):
        node = replace(node, matchers=tuple(sorted(node.matchers, key=str)))
    if isinstance(node, tuple):
        return tuple(map(bare, node))
    if not is_dataclass(node) or isinstance(node, type):
        return repr(node)
    shown = (one.name for one in fields(node) if one.compare)
    return type(node), tuple(
        bare(getattr(node, name)) for name in shown if name not in {"at", "op_at", "written"}
    )


def is_read(text: str) -> bool:
    try:
        parse(text)
    except ExpressionError:
        return False
    return True


def check(text: str) -> str:
    printed = pretty(parse(text))
    assert bare(parse(printed)) == bare(parse(text)), text
    assert pretty(parse(printed)) == printed
    return printed


@pytest.mark.parametrize("seed", range(6))
def test_generated_expressions_read_back_as_what_they_were(seed: int) -> None:
    generator = Generator(seed)
    for _ in range(60):
        text = generator.expression()
        if is_read(text):
            check(text)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("up", "up"),
        ("up{}", "up"),
        ('{__name__="up",job="a"}', '{__name__="up",job="a"}'),
        ('{"dotted.name", "my.label"="x"}', '{"my.label"="x",__name__="dotted.name"}'),
        ("sum by(job,  instance)(rate(m[300s]))", "sum by (job, instance) (rate(m[5m]))"),
        ("sum by() (m)", "sum(m)"),
        ("SUM WITHOUT() (m)", "sum without () (m)"),
        ("topk(3,m)", "topk(3, m)"),
        ("a/on()group_left b", "a / on () group_left () b"),
        ("a*ignoring()group_right(x)b", "a * ignoring () group_right (x) b"),
        ("a>bool 0x1F", "a > bool 31"),
        ("m offset 90m @ 1.5", "m @ 1.500 offset 1h30m"),
        ("m[1w:] @ end() offset -1d", "m[1w:] @ end() offset -1d"),
        ("m @ -0.25", "m @ -0.250"),
        ("- (1e6 * m)", "-(1e+06 * m)"),
        (r"""label_replace(m, 'a', "\t\"$1", 'b', `\d+\n`)""",
         r'label_replace(m, "a", "\t\"$1", "b", "\\d+\\n")'),
        ("1 - -Inf", "1 - -Inf"),
        ("time()", "time()"),
    ],
)  # fmt: skip
def test_one_line_is_printed_as_prometheus_prints_it(text: str, printed: str) -> None:
    assert check(text) == printed


def test_what_is_too_wide_gets_a_line_a_part() -> None:
    inner = "metric_with_a_long_name" + "{" + ",".join(f'label{n}="value"' for n in range(4)) + "}"
    text = f"(sum by (job) (rate({inner}[5m])) / -topk(5, max_over_time({inner}[1h])) > 0.5)"
    assert len(text) > WIDEST
    assert (
        check(text)
        == f"""(
      sum by (job) (
        rate({inner}[5m])
      )
    /
      -topk(
        5,
        max_over_time(
          {inner}[1h]
        )
      )
  >
    0.5
)"""
    )
