"""The load run, as an operator calls it: bounded, guarded, judged by the guide's benchmarks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stewardmon.cli import stewardmon
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.errors import UsageError
from tests.support.servers import answer, sends, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNSET = {"NEXT_PUBLIC_APP_URL": "", "DATABASE_URL": ""}


async def load(*arguments: str, **environ: str) -> Result:
    """Run the command in a thread of its own, as it has its own event loop."""
    runner = CliRunner(env={**UNSET, **environ})
    return await asyncio.to_thread(
        runner.invoke, stewardmon, ["load", *arguments], standalone_mode=False
    )


async def judged(*arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and each check's verdict and detail, the counts beside."""
    result = await load(*arguments, "--json", **environ)
    assert isinstance(result.return_value, int), (result.output, result.exception)
    report = json.loads(result.output)
    lines = {one["check"]: (one["verdict"], one["detail"]) for one in report.pop("checks")}
    return result.return_value, {**report, **lines}


async def test_a_well_platform_carries_its_load(platform: Platform) -> None:
    code, said = await judged(
        "--requests", "60", "--users", "5", "--path", "/", "--path", "/login",
        NEXT_PUBLIC_APP_URL=platform.app_url, DATABASE_URL=platform.database_url,
    )  # fmt: skip
    assert (code, said["ok"], said["asked"], said["failed"]) == (0, True, 60, 0), said
    assert said["answers"][0] == said["their time"][0] == "pass"
    assert said["the database meanwhile"][0] == "pass"
    assert {said[name][0] for name in ("cache hit rate", "memory and processor")} == {"unknown"}
    assert "p50" in said["their time"][1]
    assert "p99" in said["their time"][1]


@pytest.mark.parametrize(
    ("fault", "numbers", "check", "says"),
    [
        (Fault.APP_ERROR_SHARE, {"share": 0.5}, "answers", "× status 500"),
        (Fault.APP_DOWN, {}, "answers", "× refused"),
        (Fault.DATABASE_REFUSING, {}, "the database meanwhile", "refuses"),
    ],
)
async def test_a_benchmark_that_is_missed_is_named(
    platform: Platform, fault: Fault, numbers: dict[str, float], check: str, says: str
) -> None:
    await platform.faults.on(fault.value, **numbers)
    code, said = await judged(
        platform.app_url, "--requests", "40", DATABASE_URL=platform.database_url
    )
    assert (code, said[check][0], says in said[check][1]) == (1, "fail", True), said


async def test_answers_that_come_late_miss_the_benchmark(platform: Platform) -> None:
    await platform.faults.on(Fault.APP_SLOW.value, share=1, seconds=2.05)
    code, said = await judged(platform.app_url, "--requests", "20", "--users", "20")
    assert (code, said["their time"][0]) == (1, "fail"), said


async def test_time_ends_it_before_the_count_does(platform: Platform) -> None:
    await platform.faults.on(Fault.APP_SLOW.value, share=1, seconds=0.05)
    code, said = await judged(
        platform.app_url, "--requests", "5000", "--users", "2", "--seconds", "0.3"
    )
    assert said["asked"] < 20
    assert (code, said["answers"][0]) == (3, "unknown"), said


async def test_what_the_limiter_refuses_is_no_failure_and_no_answer() -> None:
    async with serving(sends(answer(status=429))) as server:
        code, said = await judged(f"http://127.0.0.1:{server.port}", "--requests", "30")
    assert (code, said["failed"], said["limited"]) == (3, 0, 30), said
    assert said["rate limit"] == (
        "unknown",
        "the app's limiter refused 30 of 30: judged is the rest",
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        ((), {}, "name the URL to load"),
        (("https://app.example",), {}, "app.example is not this machine"),
        (("http://10.0.0.7",), {}, "10.0.0.7 is not this machine"),
        (("http://127.0.0.1.evil.example",), {}, "evil.example is not this machine"),
        (("http://localhost@app.example",), {}, "app.example is not this machine"),
        (("https://app.example", "--confirm", "app"), {}, "--confirm names 'app'"),
        (
            ("--confirm", "app.example"),
            {"NEXT_PUBLIC_APP_URL": "https://app.example"},
            "write the URL",
        ),
        (("ftp://127.0.0.1",), {}, "starts with http"),
        (("http://127.0.0.1", "--path", "x"), {}, "a path begins with /"),
        (("http://127.0.0.1", "--path", "@evil.example/"), {}, "a path begins with /"),
    ],
)
async def test_a_target_that_is_not_meant_is_refused(
    arguments: tuple[str, ...], environ: dict[str, str], says: str
) -> None:
    result = await load(*arguments, **environ)
    assert isinstance(result.exception, UsageError), result.output
    assert says in str(result.exception)
