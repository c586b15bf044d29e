"""What a database says of itself when somebody is paged: asked once, briefly, changing nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.redact import excerpt
from stewardmon.domain.runbooks import DATABASE, ERROR_RATES, RESPONSE_TIMES
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.postgres_checks.statements import slowest
from stewardmon.probes.postgres_session import Session, session

STATEMENT: Final = timedelta(seconds=1)
LOCK: Final = timedelta(milliseconds=200)
_SHOWN: Final = 3

_POOL: Final = """
SELECT count(*) AS used, count(*) FILTER (WHERE state = 'active') AS active,
  count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS stuck,
  current_setting('max_connections')::int AS allowed
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
# pg_blocking_pids stops the lock manager for a moment: it is asked about those who wait only.
_BLOCKED: Final = """
SELECT waiting.pid, extract(epoch FROM clock_timestamp() - waiting.state_change)::float8 AS age,
  blocking.pid AS blocker, blocking.state AS blocker_state, blocking.query AS blocker_query,
  extract(epoch FROM clock_timestamp() - blocking.xact_start)::float8 AS blocker_age
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS by(pid)
JOIN pg_stat_activity AS blocking ON blocking.pid = by.pid
WHERE waiting.wait_event_type = 'Lock' AND waiting.pid <> pg_backend_pid()
ORDER BY waiting.state_change LIMIT 3
"""
_RUNNING: Final = """
SELECT pid, extract(epoch FROM clock_timestamp() - query_start)::float8 AS age, query,
  wait_event_type AS waits
FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY query_start LIMIT 3
"""
# Values stand in running statements, and may be anybody's data: only the statement's form is shown.
_VALUE: Final = re.compile(r"'(?:[^']|'')*'?|\b\d+(?:\.\d+)?\b")


async def testify(parameters: dict[str, str], topic: str) -> tuple[str, ...]:
    """Return what the list `topic` asks of the database, a line each; what fails is such a line."""
    if topic not in _ASKED:
        return ()
    progress = Progress()
    try:
        async with session(
            parameters, progress, statement_timeout=STATEMENT, lock_timeout=LOCK, read_only=True
        ) as talk:
            return tuple(
                [line for ask in _ASKED.get(topic, ()) for line in await _asked(talk, ask)]
            )
    except Failure as failure:
        return (f"the database could not be asked: {failure.detail}",)


async def _asked(talk: Session, ask: Callable[[Session], Awaitable[list[str]]]) -> Sequence[str]:
    """Return one question's lines; its failure leaves the others their transaction."""
    await talk.rows("SAVEPOINT one_question")
    try:
        lines = await ask(talk)
    except Failure as failure:
        await talk.rows("ROLLBACK TO SAVEPOINT one_question")
        return [f"{ask.__name__.strip('_')} of the database could not be read: {failure.detail}"]
    await talk.rows("RELEASE SAVEPOINT one_question")
    return lines


async def _connections(talk: Session) -> list[str]:
    row = await talk.row(_POOL)
    return [
        f"connections now: {row['used']} of {row['allowed']}, {row['active']} active, "
        f"{row['stuck']} idle in a transaction"
    ]


async def _blockers(talk: Session) -> list[str]:
    rows = await talk.rows(_BLOCKED)
    if not rows:
        return ["nobody waits for a lock"]
    return [
        f"process {row['pid']} has waited {_seconds(row['age'])} for process {row['blocker']} "
        f"({row['blocker_state']}, in its transaction for {_seconds(row['blocker_age'])}): "
        f"{_form(row['blocker_query'])}"
        for row in rows
    ]


async def _activity(talk: Session) -> list[str]:
    rows = await talk.rows(_RUNNING)
    return [f"runs for {_seconds(row['age'])}: {_form(row['query'])}" for row in rows]


async def _statements(talk: Session) -> list[str]:
    rows = await slowest(talk)
    if rows is None:
        return ["top statements cannot be seen: pg_stat_statements is not installed"]
    return [
        f"top statement: {format_value(row['total'], 's')} in {row['calls']} calls, "
        f"{format_value(row['mean'], 's')} each: {_form(row['query'])}"
        for row in rows[:_SHOWN]
    ]


_ASKED: Final = {
    RESPONSE_TIMES: (_statements, _blockers, _activity),
    ERROR_RATES: (_connections, _blockers),
    DATABASE: (_connections, _blockers, _activity, _statements),
}


def _form(query: str | None) -> str:
    return excerpt(_VALUE.sub("?", query or "its statement is hidden from this role"), 90)


def _seconds(age: float | None) -> str:
    return format_since(timedelta(seconds=age or 0.0))
