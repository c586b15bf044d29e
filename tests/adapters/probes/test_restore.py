"""The restore drill: real dumps into a real scratch database, compared, timed, and dropped."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.restoration import Restored
from stewardmon.ports import Context
from stewardmon.probes.restore import KIND, RestoreSettings
from stewardmon.probes.restore_drill import PREFIX, _feed, drill
from tests.support.probing import CLOCK, measured

SCHEMA = """
CREATE TABLE receipts (id int PRIMARY KEY, total numeric, "createdAt" timestamp);
CREATE TABLE notes (id int);
INSERT INTO receipts SELECT n, n, now() AT TIME ZONE 'UTC' - make_interval(mins => 500 - n)
  FROM generate_series(1, 500) n;
INSERT INTO notes SELECT generate_series(1, 20);
"""


class Source(NamedTuple):
    """A database to dump, and the server that it stands on."""

    server: PostgresServer
    url: str


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[Source]:
    url = postgres.create_database("restore_source")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    yield Source(postgres, url)
    postgres.drop_database("restore_source")


def dump(url: str, *options: str) -> bytes:
    program = str(find_programs() / "pg_dump")
    return subprocess.run([program, url, *options], check=True, capture_output=True).stdout


def put(folder: Path, name: str, content: bytes, *, hours: float = 2) -> Path:
    path = folder / name
    path.write_bytes(content)
    at = (CLOCK.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (at, at))
    return path


def settings(source: Source, folder: Path, **more: Any) -> RestoreSettings:
    given = {"folder": folder, "into": source.server.url, "source": source.url, **more}
    return RestoreSettings.model_validate(given)


async def drilled(source: Source, folder: Path, **more: Any) -> Restored:
    return await drill(settings(source, folder, **more).plan, CLOCK)


def scratch(source: Source) -> list[str]:
    """The databases that drills have left behind."""
    with psycopg.connect(source.url) as connection:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        return [name for (name,) in connection.execute(query, [PREFIX]).fetchall()]


@pytest.mark.parametrize("form", ["plain", "custom", "directory", "tar", "gzip"])
async def test_a_backup_of_every_form_comes_back_with_its_rows(
    source: Source, tmp_path: Path, form: str
) -> None:
    if form == "directory":
        dump(source.url, "--format=directory", "--file", str(tmp_path / "nightly"))
    elif form == "gzip":
        put(tmp_path, "b.sql.gz", gzip.compress(dump(source.url)))
    else:
        put(tmp_path, f"b.{form}", dump(source.url, f"--format={form}"))
    result = await drilled(source, tmp_path)
    assert result.wrong == ()
    rows = {one.name: (one.rows, one.source_rows) for one in result.tables}
    assert rows == {"receipts": (500, 500), "notes": (20, 20)}
    (receipts,) = [one for one in result.tables if one.name == "receipts"]
    assert receipts.newest is not None
    assert receipts.newest == receipts.source_newest
    assert 0 < result.took < 60
    assert scratch(source) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"what is this", "no form that can be restored"),
        (b"PGDMP and then nonsense", "unsupported version"),
    ],
)
async def test_what_is_no_backup_is_said(
    source: Source, tmp_path: Path, content: bytes, says: str
) -> None:
    put(tmp_path, "b.bin", content)
    result = await drilled(source, tmp_path)
    assert says in result.wrong[0], result.wrong
    assert scratch(source) == []


@pytest.mark.parametrize("form", ["plain", "custom", "gzip"])
async def test_a_truncated_one_fails_and_leaves_nothing_behind(
    source: Source, tmp_path: Path, form: str
) -> None:
    content = dump(source.url, f"--format={'plain' if form == 'gzip' else form}")
    if form == "gzip":
        put(tmp_path, "b.sql.gz", gzip.compress(content)[: len(content) // 20])
    else:
        put(tmp_path, f"b.{form}", content[: len(content) * 2 // 3])
    result = await drilled(source, tmp_path)
    assert result.wrong, result
    assert not result.succeeded
    assert scratch(source) == []


async def test_one_whose_packing_breaks_off_is_said_to_break_off(
    source: Source, tmp_path: Path
) -> None:
    packed = gzip.compress(dump(source.url, "--format=plain"))
    put(tmp_path, "b.sql.gz", packed[: len(packed) // 2])
    result = await drilled(source, tmp_path)
    assert result.wrong == ("b.sql.gz cannot be read to its end",)
    assert scratch(source) == []


async def test_a_backup_that_lacks_rows_tables_or_days_is_no_success(
    source: Source, tmp_path: Path
) -> None:
    put(tmp_path, "b.dump", dump(source.url, "--format=custom", "--table=notes"))
    result = await drilled(source, tmp_path, tables=["receipts", "notes"])
    assert result.wrong == ("receipts came back with 0 rows of 500, expected at least 90%",)
    put(tmp_path, "b.dump", dump(source.url, "--format=custom", "--schema-only"))
    assert (await drilled(source, tmp_path)).wrong == ("no table came back with a row in it",)
    put(tmp_path, "b.dump", dump(source.url, "--format=custom"))
    with psycopg.connect(source.url, autocommit=True) as connection:
        connection.execute("INSERT INTO receipts VALUES (501, 1, now() + interval '2 days')")
    try:
        (wrong,) = (await drilled(source, tmp_path)).wrong
    finally:
        with psycopg.connect(source.url, autocommit=True) as connection:
            connection.execute("DELETE FROM receipts WHERE id = 501")
    assert wrong.startswith("the newest row of receipts is 2 d")


async def test_roles_of_the_source_need_not_be_on_the_scratch_server(
    source: Source, tmp_path: Path
) -> None:
    plain = dump(source.url).decode()
    grants = "ALTER TABLE public.receipts OWNER TO nobody_here;\n"
    grants += "GRANT SELECT ON public.notes TO nobody;\n"
    end = "--\n-- PostgreSQL database dump complete"
    put(tmp_path, "b.sql", plain.replace(end, grants + end).encode())
    assert (await drilled(source, tmp_path)).wrong == ()
    put(tmp_path, "b.sql", plain.replace(end, "SELECT 1/0;\n" + end).encode())
    assert (await drilled(source, tmp_path)).wrong == ("psql: division by zero",)


async def test_a_megabyte_that_unpacks_to_a_gigabyte_is_handed_on_in_pieces(
    tmp_path: Path,
) -> None:
    """Of zeros: 64 KiB here, a thousand times as much unpacked."""
    path = put(tmp_path, "b.sql.gz", gzip.compress(bytes(64 * 1024 * 1000), 9))
    process = await asyncio.create_subprocess_exec(
        "wc", "-c", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    tracemalloc.start()
    try:
        counted, _ = await asyncio.gather(
            process.stdout.read(),  # type: ignore[union-attr]
            _feed(process, path, zipped=True),
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await process.wait()
    assert int(counted) == 64 * 1024 * 1000
    assert most < 8 * 1024 * 1024


async def test_what_a_killed_drill_left_behind_is_dropped_a_day_later(
    source: Source, tmp_path: Path
) -> None:
    old = CLOCK.now() - timedelta(days=2)
    for name in (f"{PREFIX}{old:%Y%m%d%H%M%S}_dead", f"{PREFIX}of_somebody"):
        source.server.create_database(name)
    put(tmp_path, "b.dump", dump(source.url, "--format=custom"))
    assert (await drilled(source, tmp_path)).succeeded
    assert scratch(source) == [f"{PREFIX}of_somebody"]
    source.server.drop_database(f"{PREFIX}of_somebody")


async def test_a_drill_that_is_cut_or_cannot_begin_leaves_nothing_behind(
    source: Source, tmp_path: Path
) -> None:
    endless = dump(source.url).decode().replace("COPY public", "SELECT pg_sleep(60);\nCOPY public")
    put(tmp_path, "b.sql", endless.encode())
    assert (await drilled(source, tmp_path, longest="2s")).wrong == ("it did not end within 2 s",)
    assert scratch(source) == []
    (tmp_path / "b.sql").unlink()
    assert "there is no backup" in (await drilled(source, tmp_path)).wrong[0]
    nowhere = await drilled(source, tmp_path / "nowhere")
    assert "there is no folder" in nowhere.wrong[0]
    put(tmp_path, "b.sql", dump(source.url))
    secret = "hunter2hunter2"
    away = await drilled(source, tmp_path, into=f"postgresql://u:{secret}@127.0.0.1:9/x")
    assert away.wrong
    assert secret not in repr(away)


async def test_the_probe_shows_the_last_drill(source: Source, tmp_path: Path) -> None:
    put(tmp_path, "b.dump", dump(source.url, "--format=custom"))
    made = settings(source, tmp_path)
    last: dict[str, Restored] = {}
    probe = KIND.make(made, Context(clock=CLOCK, probe="drill", restored=last.get))
    waiting = await probe.ask()
    assert (waiting.state, waiting.reason) == (State.UNKNOWN, Reason.MISSING)
    last["drill"] = await drill(made.plan, CLOCK)
    outcome = await probe.ask()
    assert outcome.state is State.UP, outcome.detail
    assert measured(outcome)["stewardmon_restore_success"] == 1
    rows = {
        (one.labels["table"], one.labels["side"]): one.value
        for one in outcome.measurements
        if one.name == "stewardmon_restore_rows"
    }
    assert rows["receipts", "restored"] == rows["receipts", "source"] == 500
    old = last["drill"]
    last["drill"] = Restored(at=CLOCK.now() - timedelta(days=36), tables=old.tables)
    assert (await probe.ask()).reason is Reason.STALE
    last["drill"] = Restored(at=CLOCK.now(), wrong=("it is torn",))
    assert (await probe.ask()).state is State.DOWN


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"into": "mysql://x"}, "PostgreSQL address"),
        ({"at": "25:00"}, "no time of day"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"day": 31}, "less than or equal to 28"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    source: Source, tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        settings(source, tmp_path, **wrong)
