"""Short conditions: the PromQL they mean, and what is refused, where and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.condition import compile_condition
from stewardmon.domain.units import QUANTITY_UNITS
from stewardmon.domain.vocabulary import BUILT_IN
from stewardmon.domain.word import FUNCTIONS, Vocabulary
from stewardmon.errors import ExpressionError
from stewardmon.promql import plan

MINUTES = timedelta(minutes=1)


def promql(text: str, minutes: int = 5, *, vocabulary: Vocabulary = BUILT_IN) -> str:
    """Return the condition as PromQL that the engine accepts."""
    expr = compile_condition(text, duration=minutes * MINUTES, vocabulary=vocabulary).expr
    plan(expr)
    return expr


@pytest.mark.parametrize(
    ("text", "minutes", "expr"),
    [
        (
            "error_rate > 5%",
            5,
            '1 - avg by (job) (avg_over_time(probe_success{job="app"}[5m])) > 0.05',
        ),
        (
            "response_time > 5s",
            2,
            'quantile_over_time(0.95, probe_duration_seconds{job="app"}[2m]) > 5',
        ),
        ("db_connection_failed", 1, "pg_up == 0"),
        ("openai_api_error", 1, 'probe_success{job="openai"} == 0'),
    ],
)
def test_the_guides_four_mean_what_the_specification_says(
    text: str, minutes: int, expr: str
) -> None:
    assert promql(text, minutes) == expr


ERRORS = 'avg by (job) (avg_over_time(probe_success{job="app"}[5m]))'


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("error_rate[10m]>=5%", f"1 - {ERRORS} >= 0.05".replace("5m", "10m")),
        ('error_rate{job="x"} > 5%', f"1 - {ERRORS} > 0.05".replace("app", "x")),
        (
            "error_rate{instance=~'a.*', probe!=\"b\"} > 5%",
            f"1 - {ERRORS} > 0.05".replace(
                '"app"', '"app", instance=~"a.*", probe!="b"'
            ),
        ),
        ('db_connection_failed{probe="pooler"}', 'pg_up{probe="pooler"} == 0'),
        (
            "p99(response_time[1m]) > 500ms",
            'quantile_over_time(0.99, probe_duration_seconds{job="app"}[1m]) > 0.5',
        ),
        (
            "max(error_rate) == 1",
            'max_over_time((1 - probe_success{job="app"})[5m:15s]) == 1',
        ),
        (
            "delta(memory_usage[1h]) > 100MiB",
            'delta(process_resident_memory_bytes{job="app"}[1h]) > 104857600',
        ),
        ("memory_usage > 0.5GB",
         'avg_over_time(process_resident_memory_bytes{job="app"}[5m]) > 500000000'),
        ("certificate_lifetime_left < 14d", "probe_ssl_earliest_cert_expiry - time() < 1209600"),
        (
            "backup_age > 1d2h",
            "time() - max by (job) (stewardmon_backup_last_success_timestamp_seconds) > 93600",
        ),
        (
            "ai_first_token_time / ai_response_time > 90 %",
            "quantile_over_time(0.95, gen_ai_client_operation_time_to_first_chunk_seconds[5m])"
            " / quantile_over_time(0.95, gen_ai_client_operation_duration_seconds[5m]) > 0.9",
        ),
        (
            "error_rate * response_time > 1s",
            f"(1 - {ERRORS}) * on (job) group_right ()"
            ' quantile_over_time(0.95, probe_duration_seconds{job="app"}[5m]) > 1',
        ),
        (
            "error_rate > 5% and response_time > 5",
            f"1 - {ERRORS} > 0.05 and on (job)"
            ' quantile_over_time(0.95, probe_duration_seconds{job="app"}[5m]) > 5',
        ),
        (
            "db_connection_failed and (openai_api_error or error_rate > 5%)",
            'pg_up == 0 and on () (probe_success{job="openai"} == 0'
            f" or 1 - {ERRORS} > 0.05)",
        ),
        (
            "min(response_time) > 1s and max(response_time) < 2s",
            'min_over_time(probe_duration_seconds{job="app"}[5m]) > 1'
            ' and max_over_time(probe_duration_seconds{job="app"}[5m]) < 2',
        ),
    ],
)  # fmt: skip
def test_what_conditions_compile_to(text: str, expr: str) -> None:
    assert promql(text) == expr


def test_without_a_duration_the_window_is_a_minute() -> None:
    found = compile_condition("error_rate > 5%", duration=timedelta(0))
    assert "[1m]" in found.expr
    assert found.window == MINUTES


def test_what_is_compared_is_told_for_charts_and_messages() -> None:
    found = compile_condition(
        "error_rate[10m] > 5% and response_time > 2s", duration=MINUTES, clear="error_rate < 1%"
    )
    assert found.subject == f"1 - {ERRORS}".replace("5m", "10m")
    assert (found.comparison, found.threshold, found.unit) == (">", 0.05, "ratio")
    assert found.window == 10 * MINUTES
    assert found.names == ("error_rate", "response_time")
    assert found.clear_expr == f"1 - {ERRORS} < 0.01".replace("5m", "1m")


def test_what_must_hold_besides_is_joined_by_and() -> None:
    also = "failed_asks >= 3 or error_rate > 50%"
    found = compile_condition("error_rate > 5% or error_rate[1h] > 2%", duration=MINUTES, also=also)
    short = ERRORS.replace("5m", "1m")
    asked = 'probe_success{job="app"}[1m]))'
    assert found.expr == (
        f"(1 - {short} > 0.05 or 1 - {ERRORS.replace('5m', '1h')} > 0.02) and on (job) ("
        f"sum by (job) (count_over_time({asked} - sum by (job) (sum_over_time({asked} >= 3"
        f" or 1 - {short} > 0.5)"
    )
    assert (found.subject, found.threshold) == (f"1 - {short}", 0.05)
    plan(found.expr)


def test_what_must_hold_besides_is_refused_in_its_own_column() -> None:
    with pytest.raises(ExpressionError, match="failed_asks") as caught:
        compile_condition("error_rate > 5%", duration=MINUTES, also="p50(failed_asks) > 1")
    assert caught.value.column == 5


def test_a_yes_no_question_is_compared_with_its_answer() -> None:
    found = compile_condition("db_connection_failed", duration=MINUTES)
    assert (found.subject, found.comparison, found.threshold, found.unit) == (
        "pg_up", "==", 0.0, "up",
    )  # fmt: skip
    assert found.window == timedelta(0)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (
            "error_rate > 5%",
            'and sum by (job) (count_over_time(probe_success{job="app"}[5m])) >= 20',
        ),
        ("avg(error_rate) > 5%", 'and count_over_time(probe_success{job="app"}[5m]) >= 20'),
        ("db_connection_failed", "and count_over_time(pg_up[5m]) >= 20"),
        (
            "error_rate * response_time > 1s",
            'and on (job) sum by (job) (count_over_time(probe_success{job="app"}[5m])) >= 20'
            ' and count_over_time(probe_duration_seconds{job="app"}[5m]) >= 20',
        ),
    ],
)
def test_min_samples_stays_promql(text: str, more: str) -> None:
    found = compile_condition(text, duration=5 * MINUTES, min_samples=20)
    assert found.expr == f"{promql(text)} {more}"
    plan(found.expr)


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("", 1, "the condition is empty"),
        ("   ", 1, "the condition is empty"),
        ("error_rate > 105%", 14, "can never be met: error_rate lies between 0% and 100%"),
        ("error_rate >= 0%", 15, "is always met"),
        ("error_rate < 0%", 14, "can never be met"),
        ("error_rate <= 100%", 15, "is always met"),
        ("error_rate == 2", 15, "can never be met"),
        ("error_rate != 200%", 15, "is always met"),
        ("response_time > -1s", 17, "is always met: response_time is never below 0"),
        ("error_rate > 5", 14, "did you mean 5%?"),
        ("error_rate > 5s", 14, "5s is a time, and error_rate is a share"),
        ("response_time > 5%", 17, "is a time: compare it with a number such as 5s"),
        ("count(response_time) > 5s", 24, "a number without a unit"),
        ("error_rate > 5sec", 15, "unknown unit 'sec'"),
        ("memory_usage > 5mb", 17, "did you mean MB?"),
        ("throughput > 5/h", 15, "unknown unit '/h'"),
        ("eror_rate > 5%", 1, "did you mean error_rate"),
        ("avrg(error_rate) > 5%", 1, "unknown function 'avrg': did you mean avg?"),
        ("error_rate", 1, "needs a comparison, such as error_rate > 5%"),
        ("db_connection_failed > 1", 1, "write it alone"),
        ("db_connection_failed[5m]", 1, "takes no window"),
        ("avg(db_connection_failed)", 5, "takes no window and no function"),
        ("error_rate > response_time", 14, "a number belongs behind >"),
        ("5% < error_rate", 1, "write the name first"),
        ("error_rate > 5% AND response_time > 5s", 17, "in small letters"),
        ("error_rate > 5% && response_time > 5s", 17, "write and"),
        ("error_rate = 5%", 12, "write == to compare"),
        ("error_rate > 5% > 3%", 17, "one comparison has one side each"),
        ("(error_rate > 5%", 1, "this ( is not closed"),
        ("error_rate > 5%)", 16, "its ( is missing"),
        ("error_rate[10y] > 5%", 1, "longer than samples are kept"),
        ("error_rate[5 m] > 5%", 12, "is not a duration"),
        ("error_rate[0s] > 5%", 11, "a window of no length"),
        ("error_rate[5m > 5%", 11, "a window is closed with ]"),
        ("error_rate > 5% [5m]", 17, "directly behind a name"),
        ("error_rate{job=app} > 5%", 12, "the value in quotes"),
        ('error_rate{job=="app"} > 5%', 15, "a single ="),
        ('error_rate{job="app" > 5%', 22, "closed with }"),
        ('error_rate{job="app} > 5%', 16, "second quotation mark"),
        ('error_rate{job=~"("} > 5%', 17, "invalid regular expression"),
        ('error_rate{job="\\q"} > 5%', 17, "is no escape"),
        ('error_rate{__name__="x"} > 5%', 1, "cannot be selected"),
        ("backup_age[5m] > 1d", 1, "takes no window"),
        ("p95(backup_age) > 1d", 5, "computed already"),
        ("error_rate + response_time > 5%", 12, "has no unit to compare with"),
        ("response_time / ai_response_time > 2 and error_rate", 42, "needs a comparison"),
        ('response_time - response_time{job="x"} > 2s', 15, "no labels in common"),
        ("error_rate + error_rate", 24, "a comparison is missing"),
        ("(error_rate > 5%) > 5%", 19, "a condition where a number belongs"),
        ("error_rate > 1e300", 14, "too large a number"),
        ("not error_rate > 5%", 5, "and, or, or the end belongs here"),
        ("(" * 100 + "error_rate > 5%" + ")" * 100, 21, "deeper than 20"),
        ("+".join(["error_rate"] * 100) + " > 5%", 551, "more than 50 names"),
        ("x" * 5000, 1, "are allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(text: str, column: int, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(text, duration=MINUTES)
    assert hint in str(caught.value)
    assert caught.value.column == column


OWN = (
    BUILT_IN.with_word("queue", "queue_length{$selector}", "count", "jobs that wait")
    .with_word("share", 'rate(a{x="y", $selector}[$window]) / rate(b[$window])', "%", "")
    .with_word("either", "up or down", "", "")
    .with_word("late", "time() - last_run > 3600", "yes/no", "")
    .with_word("cpu", "node_cpu", "percent", "")
    .with_word("wait", "wait_ms", "ms", "")
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("queue > 5", "queue_length > 5"),
        ('queue{a="b"} > 5', 'queue_length{a="b"} > 5'),
        ("avg(queue[10m]) > 5", "avg_over_time(queue_length[10m]) > 5"),
        ("rate(queue[10m]) > 60/m", "rate(queue_length[10m]) > 1"),
        ("share > 5%", '(rate(a{x="y"}[5m]) / rate(b[5m])) > 0.05'),
        ('share{z="1"}[1h] > 5%', '(rate(a{x="y", z="1"}[1h]) / rate(b[1h])) > 0.05'),
        ("either > 5", "(up or down) > 5"),
        ("late", "(time() - last_run > 3600)"),
        ("late and queue > 1", "(time() - last_run > 3600) and on () queue_length > 1"),
        (
            "share[1h] > 5% and share > 5%",
            '(rate(a{x="y"}[1h]) / rate(b[1h])) > 0.05'
            ' and (rate(a{x="y"}[5m]) / rate(b[5m])) > 0.05',
        ),
        (
            'share{z="1"} > 5% and share{z="2"} > 5%',
            '(rate(a{x="y", z="1"}[5m]) / rate(b[5m])) > 0.05'
            ' and on () (rate(a{x="y", z="2"}[5m]) / rate(b[5m])) > 0.05',
        ),
        ("cpu > 70%", "node_cpu > 70"),
        ("wait > 2s", "wait_ms > 2000"),
    ],
)
def test_own_words_are_used_like_the_built_in_ones(text: str, expr: str) -> None:
    assert promql(text, vocabulary=OWN) == expr


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cpu > 105%", "lies between 0% and 100%"),
        ('either{a="b"} > 5', "has no $selector"),
        ("late > 5", "write it alone"),
    ],
)
def test_own_words_are_checked_too(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=hint.replace("$", r"\$")):
        promql(text, vocabulary=OWN)


def test_min_samples_cannot_count_what_is_not_one_selector() -> None:
    with pytest.raises(ExpressionError, match="min_samples cannot count"):
        compile_condition("either > 5", duration=MINUTES, vocabulary=OWN, min_samples=3)


@pytest.mark.parametrize(
    ("name", "expr", "unit", "hint"),
    [
        ("a b", "up", "", "cannot be a name"),
        ("avg", "up", "", "use this word themselves"),
        ("x", " ", "", "missing or too long"),
        ("x", "rate(up[$windw])", "", "the window is \\$window"),
        ("x", "up # why", "", "holds a comment"),
        ("x", "up", "apples", "unknown unit 'apples'"),
        ("x", "up", "mb", "did you mean MB"),
    ],
)
def test_unusable_words_are_refused(name: str, expr: str, unit: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=hint):
        BUILT_IN.with_word(name, expr, unit)


@pytest.mark.parametrize("name", list(BUILT_IN.words))
def test_every_built_in_word_compiles_and_is_explained(name: str) -> None:
    one = BUILT_IN.word(name)
    text = one.name if one.is_question else f"{one.name} > {one.unit.example}"
    planned = plan(compile_condition(text, duration=MINUTES, min_samples=3).expr)
    selected = {m.text for selector in planned.selectors for m in selector if m.name == "__name__"}
    assert selected == set(one.metrics)
    assert one.about


def test_the_specified_names_are_there() -> None:
    names = (
        "error_rate response_time db_connection_failed openai_api_error throughput cache_hit_rate "
        "db_query_time db_connections ai_response_time ai_first_token_time memory_usage cpu_usage "
        "agent_error_rate agent_response_time backup_age certificate_lifetime_left "
        "openai_rate_limit_left openai_cost_today"
    )
    assert set(names.split()) <= set(BUILT_IN.words)


SIGNS = '( ) { } [5m] [1h30m] > >= < <= == != + - * / and or , = =~ 5 0.5 1e3 % 5% 2s "app" job'
PIECES = (*BUILT_IN.words, *FUNCTIONS, *QUANTITY_UNITS, *SIGNS.split())


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(["", " "]))
def test_any_words_compile_to_promql_or_are_refused(pieces: list[str], between: str) -> None:
    assert accepted_or_refused(between.join(pieces))


@given(st.text(max_size=40))
def test_any_text_compiles_to_promql_or_is_refused(text: str) -> None:
    assert accepted_or_refused(text)


TERMS = st.recursive(
    st.builds(
        lambda function, name, window: f"{function}({name}{window})" if function else name + window,
        st.sampled_from(["", "", *FUNCTIONS]),
        st.sampled_from([*BUILT_IN.words]),
        st.sampled_from(["", "", "[10m]"]),
    ),
    lambda inner: st.builds(
        "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner
    ),
    max_leaves=3,
)
CONDITIONS = st.recursive(
    st.builds(
        "{} {} {}{}".format,
        TERMS,
        st.sampled_from([">", "<", ">=", "==", "!="]),
        st.sampled_from(["0.5", "5", "20"]),
        st.sampled_from(["", "%", "s", "MB", "/m", "usd"]),
    )
    | st.sampled_from(["db_connection_failed", "openai_api_error"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=4,
)


@given(CONDITIONS, st.integers(min_value=0, max_value=5))
def test_every_condition_that_is_accepted_is_promql(text: str, min_samples: int) -> None:
    assert accepted_or_refused(text, min_samples)


def accepted_or_refused(text: str, min_samples: int = 0) -> bool:
    try:
        found = compile_condition(text, duration=MINUTES, min_samples=min_samples)
    except ExpressionError as error:
        return 1 <= error.column <= len(text) + 1
    plan(found.expr)
    return True
