"""The backup probe: real dumps of a real database, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
import os
import subprocess
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import CLOCK, asked, measured

LAST = "stewardmon_backup_last_success_timestamp_seconds"


@pytest.fixture(scope="module")
def dumps(postgres: PostgresServer) -> dict[str, bytes]:
    """One database as pg_dump writes it, plain and custom, with and without its rows."""
    url = postgres.create_database("to_dump")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE receipts AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n"
        )
    made = {
        "plain": dump(url, "--format=plain"),
        "custom": dump(url, "--format=custom"),
        "schema": dump(url, "--format=plain", "--schema-only"),
    }
    postgres.drop_database("to_dump")
    return made


def dump(url: str, *options: str) -> bytes:
    program = str(find_programs() / "pg_dump")
    return subprocess.run([program, url, *options], check=True, capture_output=True).stdout


def put(folder: Path, name: str, content: bytes, *, hours: float) -> Path:
    path = folder / name
    path.write_bytes(content)
    age(path, hours)
    return path


def age(path: Path, hours: float) -> None:
    at = (CLOCK.now() - timedelta(hours=hours)).timestamp()
    os.utime(path, (at, at))


def says(outcome: Outcome) -> tuple[State, Reason]:
    return outcome.state, outcome.reason


async def look(folder: Path, **settings: Any) -> Outcome:
    return await asked("backup", folder=str(folder), timeout=20, **settings)


class TestDumps:
    """Of pg_dump's own making."""

    @pytest.mark.parametrize(("form", "name"), [("plain", "b.sql"), ("custom", "b.dump")])
    async def test_a_whole_one_is_up(
        self, dumps: dict[str, bytes], form: str, name: str, tmp_path: Path
    ) -> None:
        put(tmp_path, "a" + name, dumps[form], hours=26)
        path = put(tmp_path, name, dumps[form], hours=2)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.UP, Reason.OK), outcome.detail
        numbers = measured(outcome)
        assert numbers[LAST] == pytest.approx(path.stat().st_mtime)
        assert numbers["stewardmon_backup_complete"] == 1
        assert numbers["stewardmon_backup_size_ratio"] == 1
        assert numbers["stewardmon_backup_count"] == 2

    @pytest.mark.parametrize(("form", "name"), [("plain", "b.sql"), ("custom", "b.dump")])
    async def test_a_truncated_one_is_no_success(
        self, dumps: dict[str, bytes], form: str, name: str, tmp_path: Path
    ) -> None:
        former = put(tmp_path, "a" + name, dumps[form], hours=20)
        put(tmp_path, name, dumps[form][: len(dumps[form]) * 9 // 10], hours=2)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.DOWN, Reason.INCOMPLETE), outcome.detail
        assert measured(outcome)[LAST] == pytest.approx(former.stat().st_mtime)
        assert measured(outcome)["stewardmon_backup_complete"] == 0

    async def test_a_directory_is_read_through(
        self, postgres: PostgresServer, tmp_path: Path
    ) -> None:
        url = postgres.create_database("to_dump_folder")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE receipts AS SELECT generate_series(1, 5000) n")
        dump(url, "--format=directory", "--file", str(tmp_path / "nightly"))
        postgres.drop_database("to_dump_folder")
        assert says(await look(tmp_path)) == (State.UP, Reason.OK)
        (broken,) = [one for one in (tmp_path / "nightly").iterdir() if one.name != "toc.dat"]
        broken.write_bytes(broken.read_bytes()[:100])
        assert says(await look(tmp_path)) == (State.DOWN, Reason.INCOMPLETE)

    async def test_what_newer_servers_write_after_the_end_is_no_truncation(
        self, dumps: dict[str, bytes], tmp_path: Path
    ) -> None:
        plain = dumps["plain"].rstrip().removesuffix(b"--").rstrip()
        plain = plain.split(b"\n\\unrestrict")[0].rstrip()
        put(tmp_path, "b.sql", plain + b"\n--\n\n\\unrestrict abcDEF012\n\n", hours=1)
        assert says(await look(tmp_path)) == (State.UP, Reason.OK)

    async def test_a_gzipped_one_is_unpacked(self, dumps: dict[str, bytes], tmp_path: Path) -> None:
        packed = gzip.compress(dumps["plain"])
        put(tmp_path, "b.sql.gz", packed, hours=1)
        assert says(await look(tmp_path)) == (State.UP, Reason.OK)
        put(tmp_path, "b.sql.gz", packed[:-2000], hours=1)
        assert says(await look(tmp_path)) == (State.DOWN, Reason.INCOMPLETE)

    async def test_a_shrunken_one_is_degraded(
        self, dumps: dict[str, bytes], tmp_path: Path
    ) -> None:
        put(tmp_path, "a.sql", dumps["plain"], hours=25)
        put(tmp_path, "b.sql", dumps["schema"], hours=1)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.DEGRADED, Reason.FINDING)
        assert "of the size of the one before" in outcome.detail

    async def test_one_of_a_newer_server_cannot_be_judged(
        self, dumps: dict[str, bytes], tmp_path: Path
    ) -> None:
        # Bytes 5 to 7 of an archive are its version (pg_backup_archiver.h).
        newer = dumps["custom"][:5] + bytes((1, 99, 0)) + dumps["custom"][8:]
        put(tmp_path, "b.dump", newer, hours=1)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.UNKNOWN, Reason.SETUP), outcome.detail
        assert "too old" in outcome.detail


class TestFolder:
    """What may lie where backups should."""

    async def test_an_empty_one(self, dumps: dict[str, bytes], tmp_path: Path) -> None:
        put(tmp_path, "a.sql", dumps["plain"], hours=20)
        put(tmp_path, "b.sql", b"", hours=1)
        assert says(await look(tmp_path)) == (State.DOWN, Reason.EMPTY)

    async def test_a_stale_one(self, dumps: dict[str, bytes], tmp_path: Path) -> None:
        put(tmp_path, "a.sql", dumps["plain"], hours=40)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.DOWN, Reason.STALE)
        assert outcome.detail.startswith("the newest backup is 1 d 16 h old")

    async def test_a_form_that_was_given_up_is_not_judged(
        self, dumps: dict[str, bytes], tmp_path: Path
    ) -> None:
        put(tmp_path, "old.dump", b"PGDMP cut", hours=2000)
        put(tmp_path, "new.sql", dumps["plain"], hours=1)
        assert says(await look(tmp_path)) == (State.UP, Reason.OK)

    async def test_what_is_no_dump(self, tmp_path: Path) -> None:
        put(tmp_path, "b.sql", b"<html>Sign in</html>", hours=1)
        assert says(await look(tmp_path)) == (State.DOWN, Reason.BODY)

    async def test_a_hundred_gigabytes_by_its_name_cost_nothing(self, tmp_path: Path) -> None:
        with (tmp_path / "b.sql").open("wb") as file:
            file.write(b"--\n-- PostgreSQL database dump\n--\n")
            file.truncate(100 * 1024**3)
        outcome = await look(tmp_path)
        assert says(outcome) == (State.DOWN, Reason.INCOMPLETE)
        assert outcome.duration < 15

    async def test_links_and_pipes(self, dumps: dict[str, bytes], tmp_path: Path) -> None:
        put(tmp_path, "real.sql", dumps["plain"], hours=1)
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "b.sql").symlink_to(tmp_path / "real.sql")
        (folder / "c.sql").symlink_to("nowhere")
        os.mkfifo(folder / "d.sql")
        outcome = await look(folder)
        assert says(outcome) == (State.UP, Reason.OK)
        assert measured(outcome)["stewardmon_backup_count"] == 1

    async def test_no_folder_no_rights_nothing_in_it(self, tmp_path: Path) -> None:
        assert says(await look(tmp_path / "gone")) == (State.MISCONFIGURED, Reason.MISSING)
        file = put(tmp_path, "a.txt", b"x", hours=1)
        assert says(await look(file)) == (State.MISCONFIGURED, Reason.SETUP)
        outcome = await look(tmp_path, pattern="*.sql")
        assert says(outcome) == (State.DOWN, Reason.MISSING)


def s3(*objects: tuple[str, float, int], token: str = "") -> str:
    items = "".join(
        f"<Contents><Key>{key}</Key><LastModified>"
        f"{(CLOCK.now() - timedelta(hours=hours)).isoformat()}</LastModified>"
        f"<Size>{size}</Size></Contents>"
        for key, hours, size in objects
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f'<?xml version="1.0"?><ListBucketResult>{items}{more}</ListBucketResult>'


class TestListing:
    """Objects listed over HTTP."""

    async def test_s3_over_two_pages(self, httpserver: HTTPServer) -> None:
        second = httpserver.expect_oneshot_request(
            "/b", query_string={"list-type": "2", "continuation-token": "a b"}
        )
        second.respond_with_data(s3(("db/z.dump", 1, 950)))
        first = httpserver.expect_oneshot_request("/b", query_string={"list-type": "2"})
        first.respond_with_data(s3(("db/a.dump", 25, 1000), ("db/a.txt", 0, 3), token="a b"))
        outcome = await asked("backup", url=httpserver.url_for("/b?list-type=2"), pattern="*.dump")
        assert says(outcome) == (State.UP, Reason.OK), outcome.detail
        assert measured(outcome)["stewardmon_backup_size_ratio"] == 0.95

    async def test_nginx_and_storage(self, httpserver: HTTPServer) -> None:
        now = CLOCK.now()
        listing = [
            {
                "name": "a.sql",
                "type": "file",
                "size": 10,
                "mtime": format_datetime(now, usegmt=True),
            }
        ]
        httpserver.expect_request("/nginx").respond_with_json(listing)
        objects = [{"name": "a.sql", "updated_at": now.isoformat(), "metadata": {"size": 0}}]
        httpserver.expect_request("/storage").respond_with_json(objects)
        assert says(await asked("backup", url=httpserver.url_for("/nginx"))) == (
            State.UP,
            Reason.OK,
        )
        outcome = await asked("backup", url=httpserver.url_for("/storage"))
        assert says(outcome) == (State.DOWN, Reason.EMPTY)

    @pytest.mark.parametrize(
        ("status", "body", "state", "reason"),
        [
            (401, "no", State.MISCONFIGURED, Reason.AUTH),
            (404, "no", State.MISCONFIGURED, Reason.NOT_FOUND),
            (429, "slow", State.DEGRADED, Reason.RATE_LIMIT),
            (500, "no", State.DOWN, Reason.STATUS),
            (200, "<html>hello</html>", State.DOWN, Reason.BODY),
            (200, "garbage", State.DOWN, Reason.BODY),
            (200, "{}", State.DOWN, Reason.BODY),
            (200, "[]", State.DOWN, Reason.MISSING),
            (200, "[1, {}]", State.DOWN, Reason.MISSING),
            (200, "[" + " " * 3_000_000 + "]", State.DOWN, Reason.TOO_LARGE),
        ],
    )
    async def test_what_else_it_answers(
        self, httpserver: HTTPServer, status: int, body: str, state: State, reason: Reason
    ) -> None:
        httpserver.expect_request("/").respond_with_data(body, status=status)
        assert says(await asked("backup", url=httpserver.url_for("/"))) == (state, reason)

    async def test_supabase_says_when_its_last_backup_was(self, httpserver: HTTPServer) -> None:
        now = CLOCK.now()
        backups = [
            {"status": "FAILED", "inserted_at": (now - timedelta(hours=1)).isoformat()},
            {"status": "COMPLETED", "inserted_at": (now - timedelta(hours=25)).isoformat()},
        ]
        path = "/v1/projects/abc/database/backups"
        key = {"Authorization": "Bearer sbp_secret"}
        httpserver.expect_request(path, headers=key).respond_with_json({"backups": backups})
        settings: dict[str, Any] = {
            "project": "abc",
            "token": "sbp_secret",
            "api_url": httpserver.url_for("/"),
        }
        outcome = await asked("backup", **settings)
        assert says(outcome) == (State.DOWN, Reason.INCOMPLETE)
        last = measured(outcome)[LAST]
        assert last == pytest.approx((now - timedelta(hours=25)).timestamp())


async def test_one_place_and_no_more() -> None:
    with pytest.raises(ValueError, match="one place"):
        await asked("backup")
    with pytest.raises(ValueError, match="one place"):
        await asked("backup", folder="/tmp", url="http://127.0.0.1/")
    with pytest.raises(ValueError, match="needs a token"):
        await asked("backup", project="abc")
