"""The postgres_depth probe: each condition of PLATFORM.md section 4 provoked for real."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes.postgres_checks import CHECKS
from stewardmon.probes.postgres_depth import DepthSettings
from tests.support.probing import asked, measured
from tests.support.waiting import until

ROLES = """
DO $$ DECLARE role text; BEGIN
  FOREACH role IN ARRAY ARRAY['anon', 'service_role', 'stewardmon'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I', role);
    END IF;
  END LOOP;
END $$
"""


def run(url: str, *statements: str) -> None:
    """Run statements, each committed on its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def holding(url: str, statement: str) -> Iterator[psycopg.Connection[Any]]:
    """Keep a transaction open in which the statement ran."""
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
        yield connection
        connection.rollback()


@pytest.fixture
def app(database: str) -> str:
    """A database with the app's tables."""
    schema = files("stewardmon.demo").joinpath("schema.sql").read_text()
    with psycopg.connect(database, autocommit=True) as connection:
        # Roles belong to the whole server: two tests at a time must not both create them.
        connection.execute("SELECT pg_advisory_lock(7)")
        connection.execute(ROLES.encode())
        connection.execute(schema.encode())
    return database


async def depth(url: str, *checks: str, **settings: Any) -> Outcome:
    return await asked("postgres_depth", url=url, checks=checks or tuple(CHECKS), **settings)


RECEIPT = (
    'INSERT INTO receipts ("userId", merchant, total, "purchaseDate", "createdAt") VALUES'
    " (gen_random_uuid(), '{merchant}', {total}, now() AT TIME ZONE 'UTC' + interval '{bought}',"
    " now() AT TIME ZONE 'UTC' - interval '2h')"
)
MIGRATION = (
    "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at)"
    " VALUES ('{name}', '{checksum}', '{name}', now())"
)
USER = "INSERT INTO auth.users (id) VALUES ('00000000-0000-4000-8000-000000000001')"


async def test_a_database_in_which_nothing_is_wrong(app: str) -> None:
    quiet = [name for name in CHECKS if name not in ("slots", "transactions", "blocked")]
    outcome = await depth(app, *quiet)
    assert outcome.success, (outcome.detail, outcome.findings)
    found = measured(outcome)
    assert found["stewardmon_pg_check_possible{check=indexes}"] == 1
    assert found["stewardmon_pg_check_possible{check=statements}"] == 0
    assert found["pg_replication_lag_seconds"] == 0
    assert found["stewardmon_pg_index_missing{table=receipts,columns=userId, purchaseDate}"] == 0
    assert found["stewardmon_pg_indexes_invalid"] == 0
    name = app.rpartition("/")[2]
    assert found[f"pg_database_wraparound_age_datfrozenxid_seconds{{datname={name}}}"] > 0
    assert outcome.findings == (
        "statements was not checked: the extension pg_stat_statements is not installed",
    )


async def test_an_empty_database_says_what_is_not_there(database: str) -> None:
    outcome = await depth(database, "migrations", "integrity", "agent_traffic")
    assert outcome.success
    assert [line.partition(": ")[2] for line in outcome.findings] == [
        "there is no table _prisma_migrations",
        "there is no table receipts",
        "there is no table agent_logs",
    ]


async def test_a_transaction_that_idles(app: str) -> None:
    with holding(app, "SELECT 1"):
        outcome = await depth(app, "transactions", limits={"idle_transaction_age": "1ms"})
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.FINDING)
    assert any("(idle in transaction)" in line for line in outcome.findings)
    assert measured(outcome)["pg_stat_activity_max_tx_duration{state=idle in transaction}"] > 0


async def test_a_lock_that_others_wait_for(app: str) -> None:
    waiting = psycopg.connect(app)
    with waiting, holding(app, "LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE") as holder:
        pid = holder.info.backend_pid
        blocked = asyncio.to_thread(waiting.execute, "SELECT count(*) FROM receipts")
        async with asyncio.TaskGroup() as group:
            group.create_task(blocked, name="blocked")
            await asyncio.to_thread(until, lambda: _waiters(app) == 1, what="a session to wait")
            outcome = await depth(app, "blocked")
            holder.rollback()
    assert outcome.reason is Reason.FINDING
    found = measured(outcome)
    assert found["stewardmon_pg_blocked"] >= 1
    assert found["stewardmon_pg_blocked_max_seconds"] >= 0
    assert found["pg_locks_count{mode=accessexclusivelock}"] >= 1
    assert any(f"for a lock of {pid}" in line for line in outcome.findings)


def _waiters(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_slot_that_nobody_reads(app: str) -> None:
    slot = "slot_" + app.rpartition("_")[2]
    run(app, f"SELECT pg_create_physical_replication_slot('{slot}', true)")
    try:
        outcome = await depth(app, "slots", limits={"slot_bytes": 0})
    finally:
        run(app, f"SELECT pg_drop_replication_slot('{slot}')")
    assert outcome.reason is Reason.FINDING
    assert f"nobody reads the replication slot {slot}" in outcome.findings
    assert measured(outcome)[f"pg_replication_slots_active{{slot_name={slot}}}"] == 0
    assert f"pg_replication_slots_pg_wal_lsn_diff{{slot_name={slot}}}" in measured(outcome)


async def test_transaction_numbers_grow_old(app: str) -> None:
    outcome = await depth(app, "wraparound", limits={"wraparound_age": 1})
    assert outcome.reason is Reason.FINDING
    assert "transactions unfrozen" in outcome.detail


async def test_dead_rows_pile_up(app: str) -> None:
    run(
        app,
        "CREATE TABLE churned (n int) WITH (autovacuum_enabled = off)",
        "INSERT INTO churned SELECT generate_series(1, 1000)",
        "UPDATE churned SET n = n + 1",
        "ANALYZE churned",
    )
    outcome = await depth(app, "dead_tuples")
    assert outcome.reason is Reason.FINDING
    assert outcome.detail.startswith("churned has 1000 dead rows, 4.0 times what starts")
    found = measured(outcome)
    assert found["pg_stat_user_tables_n_dead_tup{schemaname=public,relname=churned}"] == 1000
    ratio = found["stewardmon_pg_dead_tuples_ratio{schemaname=public,relname=churned}"]
    assert ratio == pytest.approx(4.0)
    run(app, "ALTER TABLE churned SET (autovacuum_vacuum_threshold = 100000)")
    assert (await depth(app, "dead_tuples")).success


async def test_an_index_that_failed_to_build(app: str) -> None:
    run(app, *[RECEIPT.format(merchant="Same", total=1, bought="0")] * 2)
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(app, "CREATE UNIQUE INDEX CONCURRENTLY half_built ON receipts (merchant)")
    outcome = await depth(app, "indexes")
    assert outcome.detail == "the index half_built is not valid: drop and build it again"
    found = measured(outcome)
    assert found["stewardmon_pg_indexes_invalid"] == 1
    assert found["stewardmon_pg_index_invalid{index=half_built}"] == 1


async def test_a_wanted_index_is_found_by_its_columns(app: str) -> None:
    run(app, 'DROP INDEX "receipts_userId_purchaseDate_idx"')
    outcome = await depth(app, "indexes")
    assert outcome.detail == "receipts has no valid index that starts with userId, purchaseDate"
    # The wrong order, a part of the rows, and a name that only promises, do not serve.
    run(
        app,
        'CREATE INDEX "receipts_userId_purchaseDate_idx" ON receipts ("purchaseDate", "userId")',
        'CREATE INDEX ON receipts ("userId", "purchaseDate") WHERE total > 5',
    )
    assert (await depth(app, "indexes")).reason is Reason.FINDING
    run(app, 'CREATE INDEX any_name ON receipts ("userId", "purchaseDate", category)')
    assert (await depth(app, "indexes")).success


async def test_migrations_that_failed_drifted_or_wait(app: str) -> None:
    row = "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, logs) VALUES"
    run(
        app,
        f"{row} ('1', 'aaa', 'one', now(), NULL)",
        f"{row} ('2', 'bbb', 'two', now(), NULL)",
        f"{row} ('3', 'ccc', 'three', NULL, 'Database error code: 23502')",
    )
    source = {"one": "aaa", "two": "changed", "three": "ccc", "four": ""}
    outcome = await depth(app, "migrations", migrations=source)
    assert outcome.findings == (
        "the migration three failed",
        "the migration three is pending",
        "the migration four is pending",
        "the migration two is not what the source holds",
    )
    found = measured(outcome)
    assert [
        found[f"stewardmon_pg_migrations{{state={state}}}"]
        for state in ("applied", "failed", "pending", "drifted")
    ] == [2, 1, 2, 1]
    run(app, "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE id = '3'")
    assert (await depth(app, "migrations")).success


async def test_migrations_are_compared_with_the_files_of_the_source(
    app: str, tmp_path: Path
) -> None:
    for name, text in (("one", "CREATE TABLE a ()"), ("two", "CREATE TABLE b ()")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "migration.sql").write_text(text)
    checksum = sha256(b"CREATE TABLE a ()").hexdigest()
    run(
        app,
        MIGRATION.format(name="one", checksum=checksum),
    )
    outcome = await depth(app, "migrations", migrations_folder=tmp_path)
    assert outcome.findings == ("the migration two is pending",)
    (tmp_path / "one" / "migration.sql").write_text("CREATE TABLE a (n int)")
    outcome = await depth(app, "migrations", migrations_folder=tmp_path)
    assert "the migration one is not what the source holds" in outcome.findings


async def test_a_table_that_is_gone(app: str) -> None:
    assert (await depth(app, "tables")).success
    run(app, "ALTER TABLE receipts RENAME TO receipts_old")
    outcome = await depth(app, "tables")
    assert outcome.detail == "there is no table receipts"
    assert measured(outcome)["stewardmon_pg_table_missing{table=receipts}"] == 1


async def test_a_receipt_of_nobody(app: str) -> None:
    run(
        app,
        USER,
        'INSERT INTO receipts ("userId", merchant, "purchaseDate")'
        " SELECT id, 'Market', now() FROM auth.users",
    )
    assert (await depth(app, "orphans")).success
    run(app, "DELETE FROM auth.users")
    outcome = await depth(app, "orphans")
    assert outcome.detail == "1 rows of receipts have a userId that is not in auth.users"
    assert measured(outcome)["stewardmon_data_findings{rule=orphans_of_receipts}"] == 1
    run(app, "DROP SCHEMA auth CASCADE")
    outcome = await depth(app, "orphans")
    assert outcome.success
    assert outcome.findings == (
        "orphans was not checked: there is no auth.users.id, or it may not be read",
    )


async def test_a_constraint_that_was_never_validated(app: str) -> None:
    run(app, "ALTER TABLE receipts ADD CONSTRAINT sane CHECK (total < 1000000) NOT VALID")
    outcome = await depth(app, "constraints")
    assert outcome.detail == "the constraint sane on receipts was never validated"
    run(app, "ALTER TABLE receipts VALIDATE CONSTRAINT sane")
    assert (await depth(app, "constraints")).success


@pytest.mark.parametrize(
    ("merchant", "total", "bought", "rule"),
    [
        ("Market", -1, "0", "negative_total"),
        ("Market", 1, "3 days", "future_date"),
        ("Processing...", 1, "0", "stuck"),
        ("Processing Failed: no text", 1, "0", "failed"),
    ],
)
async def test_receipts_that_cannot_be_right(
    app: str, merchant: str, total: int, bought: str, rule: str
) -> None:
    run(app, RECEIPT.format(merchant="Market", total=5, bought="-1 days"))
    assert (await depth(app, "integrity")).success
    run(app, RECEIPT.format(merchant=merchant, total=total, bought=bought))
    outcome = await depth(app, "integrity")
    assert outcome.reason is Reason.FINDING
    found = measured(outcome)
    rules = ("negative_total", "future_date", "stuck", "failed")
    assert {name: found[f"stewardmon_data_findings{{rule={name}}}"] for name in rules} == {
        **dict.fromkeys(rules, 0),
        rule: 1,
    }


async def test_what_the_agents_users_met(app: str) -> None:
    quiet = measured(await depth(app, "agent_traffic"))
    assert quiet["stewardmon_agent_requests_per_second"] == 0
    assert "stewardmon_agent_error_ratio" not in quiet
    run(
        app,
        'INSERT INTO agent_logs ("userId", query, "responseTime", success, cached)'
        " SELECT gen_random_uuid(), 'q', n * 100, n > 1, n > 6 FROM generate_series(1, 10) n",
        'INSERT INTO agent_logs ("userId", query, "responseTime", success, timestamp)'
        " VALUES (gen_random_uuid(), 'old', 99999, false, now() - interval '1 hour')",
    )
    found = measured(await depth(app, "agent_traffic"))
    assert found["stewardmon_agent_requests_per_second"] == pytest.approx(10 / 300)
    assert found["stewardmon_agent_error_ratio"] == pytest.approx(0.1)
    assert found["stewardmon_agent_cache_hit_ratio"] == pytest.approx(0.4)
    assert found["stewardmon_agent_response_seconds{quantile=0.5}"] == pytest.approx(0.55)
    assert found["stewardmon_agent_response_seconds{quantile=0.95}"] == pytest.approx(0.955)


def test_statements_that_are_slow() -> None:
    """Needs a server that loads pg_stat_statements when it starts."""
    with PostgresServer(settings={"shared_preload_libraries": "pg_stat_statements"}) as server:
        run(server.url, "CREATE EXTENSION pg_stat_statements", "SELECT pg_sleep(0.05)")
        outcome = asyncio.run(depth(server.url, "statements", limits={"statement_mean": "20ms"}))
    assert outcome.reason is Reason.FINDING
    assert "ms): SELECT pg_sleep($1)" in " ".join(outcome.findings)
    found = measured(outcome)
    totals = [value for name, value in found.items() if "seconds_total" in name]
    assert max(totals) >= 0.05
    assert len(totals) <= 10


async def test_a_standby_is_not_behind_for_want_of_news(app: str) -> None:
    found = measured(await depth(app, "replication"))
    assert found["stewardmon_pg_replicas"] == 0


async def test_a_check_without_rights_leaves_the_others_be(
    postgres: PostgresServer, app: str
) -> None:
    name = app.rpartition("/")[2]
    run(app, f"CREATE ROLE {name}_guest LOGIN PASSWORD 'guest'")
    try:
        url = f"postgresql://{name}_guest:guest@127.0.0.1:{postgres.port}/{name}"
        outcome = await depth(url, "integrity", "constraints")
    finally:
        run(app, f"DROP ROLE {name}_guest")
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.PERMISSION)
    assert outcome.detail.startswith("integrity could not be checked")
    found = measured(outcome)
    assert found["stewardmon_pg_check_possible{check=integrity}"] == 0
    assert found["stewardmon_pg_check_possible{check=constraints}"] == 1


async def test_a_locked_table_costs_one_check_its_lock_timeout(app: str) -> None:
    with holding(app, "LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE"):
        outcome = await depth(app, "integrity", "constraints", lock_timeout="100ms")
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.SLOW)
    assert outcome.duration < 9


async def test_the_server_goes_away_amid_the_checks(own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    outcome = await depth(own_postgres.url)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REFUSED)


def test_a_check_that_does_not_exist() -> None:
    with pytest.raises(ValidationError, match="no such check: speed; there are transactions,"):
        DepthSettings.model_validate({"url": "postgresql://db/x", "checks": ["speed"]})
