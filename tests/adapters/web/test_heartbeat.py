"""Jobs push over real HTTP, with curl too; what they say is a series, a page, and survives."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.live import listening
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "a-token-for-one-job-only"
PROBES = f"""
probes:
  - {{name: backup, kind: heartbeat, token: {TOKEN}, period: 1d, runtime: 1h}}
  - {{name: app-figures, kind: heartbeat, token: {TOKEN}, period: 1m, metrics_job: app}}
  - {{name: quick, kind: heartbeat, token: {TOKEN}, period: 1d, interval: 1h}}
  - {{name: port, kind: tcp, job: port, address: "127.0.0.1:9", interval: 1h, timeout: 1s}}
"""
ALERTS = """
groups:
  - name: g
    rules: [{alert: "Job Failed", expr: "stewardmon_heartbeat_failed == 1"}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heartbeat")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one daemon that waits for three jobs."""
    async with (
        listening(folder, files={"probes.yml": PROBES, "alerts.yml": ALERTS}) as running,
        httpx.AsyncClient(
            base_url=running.url, verify=NO_TLS, trust_env=False, timeout=30
        ) as client,
    ):
        yield client


async def push(client: httpx.AsyncClient, path: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
    return await client.post(f"/heartbeat/{path}", headers=headers, **options)


async def value(client: httpx.AsyncClient, expr: str) -> list[float]:
    answer = await client.get("/api/v1/query", params={"query": expr})
    return [float(one["value"][1]) for one in answer.json()["data"]["result"]]


async def test_a_run_is_told_and_measured(client: httpx.AsyncClient) -> None:
    started = await push(client, "backup/start")
    assert started.json() == {"status": "success", "heartbeat": "backup", "push": "start"}
    ended = await push(client, "backup")
    assert ended.json()["push"] == "success"
    assert ended.json()["expected_by"]
    (took,) = await value(client, 'stewardmon_heartbeat_run_duration_seconds{probe="backup"}')
    assert 0 <= took < 10
    probe = (await client.get("/api/probes/backup")).json()
    assert (probe["state"], probe["reason"]) == ("up", "ok")
    assert "backup" in (await client.get("/")).text


async def test_a_failure_is_an_alert_at_once_though_the_next_look_is_an_hour_away(
    client: httpx.AsyncClient,
) -> None:
    words = "dump failed: password=hunter2hunter2 disk full"
    assert (await push(client, "quick/1", content=words)).json()["push"] == "fail"

    async def firing() -> bool:
        answer = await client.get("/api/incidents")
        return any("Job Failed" in one["title"] for one in answer.json()["incidents"])

    await until_async(firing, what="an incident of the failed job", within=30)
    probe = (await client.get("/api/probes/quick")).json()
    assert "disk full" in probe["detail"]
    assert "hunter2" not in (await client.get("/probes/quick")).text
    await push(client, "quick/0")
    assert (await client.get("/api/probes/quick")).json()["state"] == "up"


async def test_figures_are_series_of_the_job_that_they_are_about(
    client: httpx.AsyncClient,
) -> None:
    figures = {"process_resident_memory_bytes": 7e8, "process_cpu_seconds_total": 12.5}
    answer = await push(client, "app-figures", json={"metrics": figures})
    assert answer.status_code == 200, answer.text
    assert await value(client, 'process_resident_memory_bytes{job="app"}') == [7e8]
    assert await value(client, 'probe_success{job="app"}') == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("how", ["header", "user", "query"])
async def test_plain_curl_will_do(client: httpx.AsyncClient, how: str) -> None:
    url = f"{client.base_url}/heartbeat/backup"
    arguments = {
        "header": ["-H", f"Authorization: Bearer {TOKEN}", "-d", "done in 3 s", url],
        "user": ["-u", f":{TOKEN}", "-d", '{"metrics": {"rows": 3}}', url],
        "query": [f"{url}?token={TOKEN}"],
    }
    curl = await asyncio.create_subprocess_exec(
        "curl", "-fsS", "--noproxy", "*", *arguments[how], stdout=asyncio.subprocess.PIPE
    )
    said, _ = await curl.communicate()
    assert curl.returncode == 0
    assert b"success" in said


@pytest.mark.parametrize(
    ("path", "options", "status", "says"),
    [
        ("nobody", {}, 404, "no heartbeat 'nobody'"),
        ("port", {}, 404, "no heartbeat 'port'"),
        ("backup", {"headers": {"Authorization": ""}}, 401, "token"),
        ("backup", {"headers": {"Authorization": b"Bearer \xe9"}}, 401, "token"),
        ("backup", {"headers": {"Authorization": "Bearer wrong"}}, 401, "token"),
        ("backup/256", {}, 404, "0 to 255"),
        ("backup/sucess", {}, 404, "start, success, fail"),
        ("backup/9999999999999999999", {}, 404, "0 to 255"),
        ("backup", {"content": b"x" * 70_000}, 413, "larger than"),
        ("backup", {"content": b"[", "headers": {"Content-Type": "application/json"}}, 400, "JSON"),
        ("backup", {"json": []}, 400, "a JSON object"),
        ("backup", {"json": {"metric": {}}}, 400, "unknown field 'metric'"),
        ("backup", {"json": {"message": 3}}, 400, "must be a text"),
        ("backup", {"json": {"metrics": {"pg_up": 1}}}, 400, "stewardmon itself"),
        ("backup", {"content": b'{"metrics": {"a": NaN}}'}, 400, "finite"),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_a_sentence(
    client: httpx.AsyncClient, path: str, options: dict[str, Any], status: int, says: str
) -> None:
    answer = await push(client, path, **options)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


async def test_any_other_text_is_a_jobs_last_words(client: httpx.AsyncClient) -> None:
    for content in (b"\xff\xfe\x00", b"{ not json", b"", b"line\n" * 5000):
        assert (await push(client, "backup", content=content)).status_code == 200


async def test_a_hundred_pushes_in_a_row_are_all_taken(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(push(client, "backup") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}


async def test_the_last_sign_survives_a_restart(tmp_path: Path) -> None:
    for turn in (1, 2):
        async with (
            listening(tmp_path, files={"probes.yml": PROBES}) as running,
            httpx.AsyncClient(base_url=running.url, verify=NO_TLS, trust_env=False) as client,
        ):
            if turn == 1:
                await push(client, "backup/3", content="tape is torn")
                continue

            async def detail(client: httpx.AsyncClient = client) -> str:
                found = (await client.get("/api/probes/backup")).json()
                return found["detail"] if found["state"] == "down" else ""

            assert "tape is torn" in await until_async(detail, what="the job's words", within=30)
