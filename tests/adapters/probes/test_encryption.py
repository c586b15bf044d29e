"""What ciphertexts betray, in a real database: with vectors of their own, and without."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg
import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured

SAME = secrets.token_hex(40)


async def look(database: str, values: list[str | None], kind: str = "text") -> Outcome:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(f'CREATE TABLE "Notes" (id int, "secretText" {kind})')
        async with connection.cursor() as cursor:
            for number, value in enumerate(values):
                stored = bytes.fromhex(value) if value and kind == "bytea" else value
                await cursor.execute('INSERT INTO "Notes" VALUES (%s, %s)', (number, stored))
    columns = [{"table": "Notes", "column": "secretText"}]
    outcome = await asked("encryption", url=database, columns=columns)
    assert SAME not in repr(outcome)
    return outcome


def found(outcome: Outcome, what: str) -> float:
    name = f"stewardmon_encryption_findings{{table=Notes,column=secretText,what={what}}}"
    return measured(outcome)[name]


@pytest.mark.parametrize("kind", ["text", "bytea"])
async def test_values_with_vectors_of_their_own_betray_nothing(database: str, kind: str) -> None:
    outcome = await look(database, [secrets.token_hex(60) for _ in range(50)], kind)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail
    assert found(outcome, "equal") == found(outcome, "shared") == found(outcome, "plain") == 0


@pytest.mark.parametrize("kind", ["text", "bytea"])
async def test_equal_values_betray_a_missing_vector(database: str, kind: str) -> None:
    values: list[str | None] = [SAME, SAME, SAME, secrets.token_hex(40), None]
    outcome = await look(database, values, kind)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.FINDING)
    assert outcome.detail.startswith("Notes.secretText: 2 of 4 values are equal to others")
    assert (found(outcome, "equal"), found(outcome, "shared")) == (2, 0)


async def test_a_beginning_in_common_betrays_it_too(database: str) -> None:
    values: list[str | None] = [SAME + secrets.token_hex(8) for _ in range(3)]
    outcome = await look(database, values)
    assert (found(outcome, "equal"), found(outcome, "shared")) == (0, 2)


async def test_plain_text_is_seen(database: str) -> None:
    outcome = await look(database, ["ann@example.org", secrets.token_hex(40)])
    assert found(outcome, "plain") == 1


@pytest.mark.parametrize("values", [[], [SAME], [None, ""]])
async def test_too_few_values_show_nothing(database: str, values: list[Any]) -> None:
    outcome = await look(database, values)
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, Reason.EMPTY)
    assert "fewer than two values" in outcome.detail


async def test_a_column_that_is_not_there(database: str) -> None:
    columns = [{"table": 'no"such', "column": "x; DROP TABLE y"}]
    outcome = await asked("encryption", url=database, columns=columns)
    assert outcome.reason is Reason.MISSING
