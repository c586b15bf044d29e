"""What can befall a backup in every form that pg_dump writes, seen by probe and drill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.domain.restoration import Restored
from stewardmon.probes.restore import RestoreSettings
from stewardmon.probes.restore_drill import PREFIX, drill
from tests.support.probing import CLOCK, asked, measured
from tests.support.servers import hangs, serving
from tests.support.unprivileged import open_folder, unprivileged

FORMS: Final = ("plain", "custom", "directory", "tar")
GIGABYTES: Final = 100 * 1024**3


@pytest.fixture(scope="module")
def source(postgres: PostgresServer) -> Iterator[str]:
    """A database with rows."""
    url = postgres.create_database("backup_forms")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """
            CREATE TABLE receipts (id int, note text, "createdAt" timestamptz);
            INSERT INTO receipts SELECT n, md5(n::text), now() FROM generate_series(1, 9000) n
            """
        )
    yield url
    postgres.drop_database("backup_forms")


@pytest.fixture(scope="module")
def dumps(source: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a dump in a form, with its rows (`whole`) or without (`schema`), made once."""
    folder = tmp_path_factory.mktemp("dumps")

    def made(form: str, what: str) -> Path:
        path = folder / f"{what}.{form}"
        if not path.exists():
            more = ["--schema-only"] if what == "schema" else []
            program = str(find_programs() / "pg_dump")
            options = [f"--format={form}", f"--file={path}", *more]
            subprocess.run([program, source, *options], check=True)
        return path

    return made


def put(dump: Path, folder: Path, name: str, *, hours: float = 2) -> Path:
    """Lay a copy of a dump into a folder, so many hours old; return what holds its rows."""
    path = folder / f"{name}{dump.suffix}"
    rows = path
    if dump.is_dir():
        shutil.copytree(dump, path)
        rows = max(path.iterdir(), key=lambda one: (one.name != "toc.dat", one.stat().st_size))
    else:
        shutil.copy(dump, path)
    age(path, hours)
    return rows


def age(path: Path, hours: float) -> None:
    at = (CLOCK.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (at, at))


async def look(folder: Path, **settings: Any) -> Outcome:
    return await asked("backup", folder=str(folder), timeout=20, **settings)


def says(outcome: Outcome) -> tuple[State, Reason]:
    assert "\n" not in outcome.detail
    return outcome.state, outcome.reason


@pytest.mark.parametrize("form", FORMS)
async def test_a_whole_one(dumps: Callable[[str, str], Path], form: str, tmp_path: Path) -> None:
    put(dumps(form, "whole"), tmp_path, "a", hours=26)
    put(dumps(form, "whole"), tmp_path, "b")
    outcome = await look(tmp_path)
    assert says(outcome) == (State.UP, Reason.OK), outcome.detail
    assert f"{form}, whole" in outcome.detail
    assert measured(outcome)["stewardmon_backup_complete"] == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_truncated_one(
    dumps: Callable[[str, str], Path], form: str, tmp_path: Path
) -> None:
    put(dumps(form, "whole"), tmp_path, "a", hours=20)
    rows = put(dumps(form, "whole"), tmp_path, "b")
    os.truncate(rows, rows.stat().st_size * 2 // 3)
    age(tmp_path / f"b.{form}", 2)
    outcome = await look(tmp_path)
    assert says(outcome) == (State.DOWN, Reason.INCOMPLETE), outcome.detail
    last = measured(outcome)["stewardmon_backup_last_success_timestamp_seconds"]
    assert last == pytest.approx((tmp_path / f"a.{form}").stat().st_mtime)


@pytest.mark.parametrize("form", FORMS)
async def test_a_drill_with_a_truncated_one_is_no_success(
    dumps: Callable[[str, str], Path], source: str, form: str, tmp_path: Path
) -> None:
    rows = put(dumps(form, "whole"), tmp_path, "b")
    os.truncate(rows, rows.stat().st_size * 2 // 3)
    result = await drilled(source, tmp_path)
    assert not result.succeeded, result


@pytest.mark.parametrize("form", FORMS)
async def test_an_empty_one(dumps: Callable[[str, str], Path], form: str, tmp_path: Path) -> None:
    put(dumps(form, "whole"), tmp_path, "b")
    path = tmp_path / f"b.{form}"
    for one in path.iterdir() if path.is_dir() else [path]:
        os.truncate(one, 0)
    age(path, 2)
    assert says(await look(tmp_path)) == (State.DOWN, Reason.EMPTY)


@pytest.mark.parametrize("form", FORMS)
async def test_a_shrunken_one(dumps: Callable[[str, str], Path], form: str, tmp_path: Path) -> None:
    put(dumps(form, "whole"), tmp_path, "a", hours=26)
    put(dumps(form, "schema"), tmp_path, "b")
    outcome = await look(tmp_path)
    assert says(outcome) == (State.DEGRADED, Reason.FINDING), outcome.detail
    assert "of the size of the one before" in outcome.detail


@pytest.mark.parametrize("form", FORMS)
async def test_a_stale_one(dumps: Callable[[str, str], Path], form: str, tmp_path: Path) -> None:
    put(dumps(form, "whole"), tmp_path, "b", hours=40)
    outcome = await look(tmp_path)
    assert says(outcome) == (State.DOWN, Reason.STALE)
    assert outcome.detail.startswith("the newest backup is 1 d 16 h old")


@pytest.mark.parametrize("form", ["custom", "directory", "tar"])
async def test_one_of_a_newer_server(
    dumps: Callable[[str, str], Path], source: str, form: str, tmp_path: Path
) -> None:
    path = put(dumps(form, "whole"), tmp_path, "b")
    toc = tmp_path / f"b.{form}" / "toc.dat" if form == "directory" else path
    content = toc.read_bytes()
    at = content.index(b"PGDMP") + 5  # the version stands there (pg_backup_archiver.h)
    toc.write_bytes(content[:at] + bytes((1, 99, 0)) + content[at + 3 :])
    age(tmp_path / f"b.{form}", 2)
    outcome = await look(tmp_path)
    assert says(outcome) == (State.UNKNOWN, Reason.SETUP), outcome.detail
    assert "pg_restore here is too old for it" in outcome.detail
    assert "unsupported version" in (await drilled(source, tmp_path)).wrong[0]


@pytest.mark.parametrize("form", FORMS)
async def test_a_link_is_what_it_leads_to(
    dumps: Callable[[str, str], Path], form: str, tmp_path: Path
) -> None:
    (tmp_path / f"b.{form}").symlink_to(dumps(form, "whole"))
    (tmp_path / f"c.{form}").symlink_to("nowhere")
    (tmp_path / f"d.{form}").symlink_to(f"d.{form}")  # to itself
    outcome = await look(tmp_path)
    assert says(outcome) == (State.UP, Reason.OK)
    assert measured(outcome)["stewardmon_backup_count"] == 1


@pytest.mark.parametrize("form", FORMS)
async def test_one_without_rights_is_said_and_is_no_success(
    dumps: Callable[[str, str], Path], source: str, form: str
) -> None:
    with open_folder() as folder:
        put(dumps(form, "whole"), folder, "b")
        (folder / f"b.{form}").chmod(0)
        (folder / "lost+found").mkdir(mode=0)
        with unprivileged():
            outcome = await look(folder)
            restored = await drilled(source, folder)
    assert says(outcome) == (State.UNKNOWN, Reason.PERMISSION), outcome.detail
    assert "it cannot be read (Permission denied)" in outcome.detail
    assert "stewardmon_backup_complete" not in measured(outcome)
    assert measured(outcome)["stewardmon_backup_count"] == 1
    assert restored.wrong == (f"b.{form} cannot be read: it cannot be read (Permission denied)",)


async def test_a_folder_without_rights() -> None:
    with open_folder() as folder:
        (folder / "locked").mkdir(mode=0)
        with unprivileged():
            outcome = await look(folder / "locked")
    assert says(outcome) == (State.MISCONFIGURED, Reason.PERMISSION)
    assert outcome.detail.endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("form", ["plain", "custom", "tar", "gzip"])
async def test_a_hundred_gigabytes_by_its_size_are_not_read(
    dumps: Callable[[str, str], Path], form: str, tmp_path: Path
) -> None:
    path = tmp_path / f"b.{form}"
    content = b"\x1f\x8b\x08" if form == "gzip" else dumps(form, "whole").read_bytes()
    path.write_bytes(content)
    os.truncate(path, GIGABYTES)
    outcome = await look(tmp_path)
    expected = {
        "plain": (State.DOWN, Reason.INCOMPLETE),  # it ends in nothing
        "custom": (State.UP, Reason.OK),  # its table of contents is whole
        "tar": (State.UP, Reason.OK),
        "gzip": (State.UP, Reason.OK),
    }
    assert says(outcome) == expected[form], outcome.detail
    assert outcome.duration < 15
    if form == "gzip":
        assert "longer than the 1.07 GB that are read" in outcome.findings[0]


async def drilled(source: str, folder: Path) -> Restored:
    into = source.rpartition("/")[0] + "/postgres"
    settings = RestoreSettings.model_validate({"folder": folder, "into": into, "source": source})
    result = await drill(settings.plan, CLOCK)
    with psycopg.connect(source) as connection:
        query = "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)"
        assert connection.execute(query, [PREFIX]).fetchone() == (0,)
    return result


@pytest.mark.parametrize("form", FORMS)
async def test_a_drill_restores_it_and_compares_rows_and_the_newest(
    dumps: Callable[[str, str], Path], source: str, form: str, tmp_path: Path
) -> None:
    put(dumps(form, "whole"), tmp_path, "b")
    result = await drilled(source, tmp_path)
    assert result.wrong == ()
    (receipts,) = result.tables
    assert (receipts.rows, receipts.source_rows) == (9000, 9000)
    assert receipts.newest is not None
    assert receipts.newest == receipts.source_newest


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (401, State.MISCONFIGURED, Reason.AUTH),
        (403, State.MISCONFIGURED, Reason.PERMISSION),
        (429, State.DEGRADED, Reason.RATE_LIMIT),
        (500, State.DOWN, Reason.STATUS),
        ("garbage", State.DOWN, Reason.BODY),
        ('{"backups": {}}', State.DOWN, Reason.BODY),
        ('{"backups": [5, {"inserted_at": "soon"}]}', State.DOWN, Reason.MISSING),
    ],
)
async def test_what_supabase_may_answer(
    httpserver: Any, answer: int | str, state: State, reason: Reason
) -> None:
    status, body = (answer, "sbp_secret") if isinstance(answer, int) else (200, answer)
    httpserver.expect_request("/v1/projects/abc/database/backups").respond_with_data(
        body, status=status
    )
    url = httpserver.url_for("/")
    outcome = await asked("backup", project="abc", token="sbp_secret", api_url=url)
    assert says(outcome) == (state, reason), outcome.detail
    assert "sbp_secret" not in repr(outcome)


@pytest.mark.parametrize("place", ["listing", "project"])
async def test_a_place_that_never_answers(place: str) -> None:
    async with serving(hangs) as server:
        given = {"url": f"{server.url}/?list-type=2"}
        if place == "project":
            given = {"project": "abc", "token": "sbp_secret", "api_url": server.url}
        outcome = await asked("backup", timeout=0.3, **given)
    assert says(outcome) == (State.DOWN, Reason.TIMEOUT)
    assert "waiting for the first byte of the answer" in outcome.detail
