"""Templates of alert labels and annotations, as Prometheus expands them.

The language is Go's text/template with Prometheus' functions
(prometheus.io/docs/prometheus/latest/configuration/template_reference/). `compile_template` is for
loading: it refuses what Prometheus refuses. `expand`, of a text or of a compiled template, is for
alerting: an error becomes text, for a broken annotation must not keep anybody from being paged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from stewardmon.domain.template.functions import NAMES, Surroundings, functions
from stewardmon.domain.template.nodes import Block
from stewardmon.domain.template.parse import parse
from stewardmon.domain.template.printf import quote
from stewardmon.domain.template.run import Execution
from stewardmon.domain.template.values import (
    AlertData,
    Budget,
    Query,
    StringMap,
    TemplateError,
)
from stewardmon.errors import ExpressionError

__all__ = ["Query", "Template", "TemplateError", "compile_template", "expand"]

# Prometheus puts these before every text, so its columns count them, and so do our error texts:
# the same broken annotation reads the same in both.
_PRELUDE: Final = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
_VARIABLES: Final = ("$labels", "$externalLabels", "$externalURL", "$value")


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was accepted."""

    text: str
    _main: Block
    _blocks: Mapping[str, Block]

    def render(
        self,
        labels: Mapping[str, str],
        value: float,
        *,
        external_labels: Mapping[str, str],
        external_url: str,
        query: Query,
        now: datetime,
        name: str = "",
    ) -> str:
        """Return the text for one alert; `name` is the rule's, for error texts.

        `query` answers the function of that name and may raise any StewardmonError. Raises
        TemplateError (an EvaluationError) worded as Prometheus words it.
        """
        if "{{" not in self.text:
            return self.text
        data = AlertData(StringMap(labels), StringMap(external_labels), external_url, float(value))
        budget = Budget()
        around = Surroundings(external_url, query, now, budget)
        values = (data, data.Labels, data.ExternalLabels, data.ExternalURL, data.Value)
        run = Execution(
            self._blocks, functions(around), budget, zip(("$", *_VARIABLES), values, strict=True)
        )
        try:
            return run.run(self._main, data)
        except TemplateError as failure:
            raise TemplateError(self._located(run, str(failure), f"__alert_{name}")) from failure
        except RecursionError:
            raise TemplateError(self._located(run, "nested too deep", f"__alert_{name}")) from None

    def expand(
        self,
        labels: Mapping[str, str],
        value: float,
        *,
        external_labels: Mapping[str, str],
        external_url: str,
        query: Query,
        now: datetime,
        name: str = "",
    ) -> str:
        """Return what `render` does, its failure as text: the alert fires whatever happens here."""
        try:
            return self.render(
                labels,
                value,
                external_labels=external_labels,
                external_url=external_url,
                query=query,
                now=now,
                name=name,
            )
        except TemplateError as failure:
            return f"<error expanding template: {failure}>"

    def _located(self, run: Execution, reason: str, name: str) -> str:
        at = 0 if run.node is None else run.node.at
        before = (_PRELUDE + self.text)[: len(_PRELUDE) + at]
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2].encode())
        node = "" if run.node is None else str(run.node)
        return (
            f"error executing template {name}: template: {name}:{line}:{column}: "
            f"executing {quote(run.block or name)} at <{node}>: {reason}"
        )


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Return the template, ready to be rendered many times.

    Raises ExpressionError, its column 1-based within the text, for what Prometheus refuses when it
    loads a rule file: wrong syntax, an unknown function, an undeclared variable.
    """
    main, blocks = parse(text, functions=NAMES, variables=_VARIABLES)
    return Template(text, main, blocks)


def expand(
    text: str,
    labels: Mapping[str, str],
    value: float,
    *,
    external_labels: Mapping[str, str],
    external_url: str,
    query: Query,
    now: datetime,
    name: str = "",
) -> str:
    """Return the expanded text, or `<error expanding template: …>` where that fails."""
    if "{{" not in text:
        return text
    try:
        template = compile_template(text)
    except ExpressionError as error:
        reason = f"error parsing template __alert_{name}: column {error.column}: {error}"
        return f"<error expanding template: {reason}>"
    return template.expand(
        labels,
        value,
        external_labels=external_labels,
        external_url=external_url,
        query=query,
        now=now,
        name=name,
    )
