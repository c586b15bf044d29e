"""The postgres_query probe: an operator's own question to a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from stewardmon.domain.outcome import Reason, State
from stewardmon.probes.postgres_query import QuerySettings
from tests.support.probing import asked, measured


@pytest.mark.parametrize(
    ("query", "settings", "detail"),
    [
        ("SELECT 3 AS n;", {"expect": {"n": {"le": 3}}}, "1 rows as expected"),
        ("SELECT 4 AS n", {"expect": {"n": {"le": 3}}}, "n is 4, expected at most 3"),
        ("SELECT 1.5::numeric AS n", {"expect": {"n": 1.5}}, "1 rows as expected"),
        (
            "SELECT interval '2m' AS age",
            {"expect": {"age": {"lt": 100}}},
            "age is 120.0, expected below 100",
        ),
        ("SELECT NULL AS n", {"expect": {"n": {"gt": 0}}}, "n is null, expected a number"),
        ("SELECT 1 AS n", {"expect": {"m": 1}}, "m is no column of the query"),
        ("SELECT 1 AS n WHERE false", {"expect": {"n": 1}}, "the query returned no row"),
        ("SELECT 1 WHERE false", {"rows": 0}, "0 rows as expected"),
        ("VALUES (1), (2)", {"rows": 0}, "the number of rows is 2, expected 0"),
        (
            "SELECT n FROM generate_series(1, 3) n",
            {"expect": {"n": {"lt": 3}}},
            "n of row 3 is 3, expected below 3",
        ),
        ("SELECT ';' AS n", {"expect": {"n": ";"}}, "1 rows as expected"),
    ],
)
async def test_the_answer_is_judged(
    database: str, query: str, settings: dict[str, Any], detail: str
) -> None:
    outcome = await asked("postgres_query", url=database, query=query, **settings)
    assert outcome.detail == detail
    assert outcome.success is detail.endswith("as expected")
    assert outcome.reason is (Reason.OK if outcome.success else Reason.FINDING)


async def test_numbers_become_series(database: str) -> None:
    query = "SELECT 5 AS stuck, 'x' AS word, true AS flag, 2.5::numeric AS ratio"
    found = measured(await asked("postgres_query", url=database, query=query))
    assert found["stewardmon_query_value{column=stuck}"] == 5
    assert found["stewardmon_query_value{column=ratio}"] == 2.5
    assert found["stewardmon_query_value{column=flag}"] == 1
    assert "stewardmon_query_value{column=word}" not in found
    assert found["stewardmon_query_rows"] == 1


async def test_no_more_rows_are_read_than_the_cap(database: str) -> None:
    query = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
    outcome = await asked("postgres_query", url=database, query=query, row_cap=5)
    assert measured(outcome)["stewardmon_query_rows"] == 5


async def test_it_cannot_write(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute(
            "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS"
            " 'INSERT INTO kept VALUES (1) RETURNING n'"
        )
    outcome = await asked("postgres_query", url=database, query="SELECT sneak()")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.READ_ONLY)


async def test_it_does_not_run_beyond_its_time(database: str) -> None:
    outcome = await asked(
        "postgres_query", url=database, query="SELECT pg_sleep(9)", statement_timeout="100ms"
    )
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.SLOW)
    assert outcome.duration < 8  # of nine that it would sleep


async def test_an_error_is_told_in_its_own_words(database: str) -> None:
    outcome = await asked("postgres_query", url=database, query="SELECT 1 FROM nowhere")
    assert outcome.detail.endswith('(relation "nowhere" does not exist)')


async def test_a_query_that_is_wrong_is_misconfigured(database: str) -> None:
    for query in ("SELECT gone FROM nowhere", "SELECT FROM WHERE"):
        outcome = await asked("postgres_query", url=database, query=query)
        assert outcome.state is State.MISCONFIGURED
        assert outcome.reason in (Reason.MISSING, Reason.QUERY)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM receipts",
        "SELECT 1; COMMIT; DROP TABLE receipts",
        "SELECT ';'; DROP TABLE receipts",
        "",
        "SELECTED",
        "EXPLAIN ANALYZE DELETE FROM receipts",
    ],
)
def test_a_statement_that_is_no_question(query: str) -> None:
    with pytest.raises(ValidationError):
        QuerySettings.model_validate({"url": "postgresql://db/x", "query": query})
