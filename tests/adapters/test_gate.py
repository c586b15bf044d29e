"""The gates of a deployment, as a script calls them: by exit code, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stewardmon.cli import stewardmon
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.errors import StewardmonError, UsageError
from stewardmon.ports import Clock
from stewardmon.rehearsal.gate import Wanted, wait_for
from tests.support.live import listening
from tests.support.servers import hangs, serving
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUICK = ("--every", "0.05", "--within", "4", "--timeout", "2")


async def gate(*arguments: str, given: str = "") -> Result:
    """Run the command in a thread of its own, as it has its own event loop."""
    runner = CliRunner(env={"STEWARDMON_TOKEN": ""})
    return await asyncio.to_thread(
        runner.invoke, stewardmon, ["gate", *arguments], input=given, standalone_mode=False
    )


async def test_a_healthy_app_of_the_expected_version_may_go_on(platform: Platform) -> None:
    result = await gate("healthy", platform.app_url, "--version", "1.4.2", "--json", *QUICK)
    assert result.return_value == 0, result.output
    said = json.loads(result.output)
    assert (said["ok"], said["good"], said["version"]) == (True, 3, "1.4.2")


@pytest.mark.parametrize(
    "shape", [Fault.HEALTH_SHAPE_B, Fault.HEALTH_SHAPE_C, Fault.HEALTH_SHAPE_D]
)
async def test_any_shape_of_health_may_say_that_all_is_well(
    platform: Platform, shape: Fault
) -> None:
    await platform.faults.on(shape.value)
    result = await gate("healthy", platform.app_url, "--times", "1", *QUICK)
    assert result.return_value == 0, result.output


@pytest.mark.parametrize(
    ("fault", "options", "says"),
    [
        (None, ("--version", "2.0.0"), "version 1.4.2 answers, expected 2.0.0"),
        (None, ("--former", "1.4.2"), "version 1.4.2 still answers"),
        (Fault.DATABASE_REFUSING, (), "unhealthy"),
        (Fault.HEALTH_MISSING, (), "not_found"),
        (Fault.HEALTH_CACHED, (), "cached"),
        (Fault.APP_DOWN, (), "refused"),
    ],
)
async def test_what_forbids_going_on_is_said(
    platform: Platform, fault: Fault | None, options: tuple[str, ...], says: str
) -> None:
    if fault is not None:
        await gate("healthy", platform.app_url, *QUICK)  # what a cache keeps is then a good answer
        await platform.faults.on(fault.value)
    result = await gate("healthy", platform.app_url, *options, *QUICK, "--within", "0.3")
    assert (result.return_value, says in result.output) == (1, True), result.output


async def test_green_may_take_over_and_a_blue_that_is_down_is_said(platform: Platform) -> None:
    blue = "http://127.0.0.1:9"
    result = await gate("green", blue, platform.app_url, "--json", *QUICK)
    assert result.return_value == 0, result.output
    said = json.loads(result.output)
    assert said["ok"] is True
    assert said["blue"]["healthy"] is False
    forbidden = await gate("green", platform.app_url, blue, *QUICK, "--within", "0.2")
    assert forbidden.return_value == 1
    assert "refused" in forbidden.output


async def test_an_app_that_never_answers_ends_in_time() -> None:
    async with serving(hangs) as server:
        started = asyncio.get_running_loop().time()
        url = f"http://127.0.0.1:{server.port}"
        result = await gate("healthy", url, "--every", "0.1", "--within", "0.3", "--timeout", "0.2")
        assert asyncio.get_running_loop().time() - started < 5
    assert (result.return_value, "timeout" in result.output) == (1, True)


async def test_the_page_is_weighed(platform: Platform) -> None:
    url = f"{platform.app_url}/"
    assert (await gate("page", url)).return_value == 0
    heavy = await gate("page", url, "--budget", "100", "--json")
    assert heavy.return_value == 1
    assert "weighs" in json.loads(heavy.output)["detail"]


@dataclass
class Hand:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


async def streak(answers: str, **wanted: Any) -> tuple[bool, int, int]:
    """Look at `x` for a bad answer and any digit for a version that is well."""
    left = iter(answers)

    async def look() -> tuple[str, str]:
        sign = next(left)
        return ("broken", "") if sign == "x" else ("", sign)

    clock: Any = Hand()
    typed: Clock = clock
    found = await wait_for(look, Wanted(every=1, within=10, **wanted), typed)
    return found.held, found.good, found.asked


async def test_good_answers_must_come_in_a_row() -> None:
    assert await streak("111") == (True, 3, 3)
    assert await streak("11x11x111") == (True, 3, 9)
    assert await streak("11x11x11x11x") == (False, 2, 11)
    assert await streak("1121222", version="2") == (True, 3, 7)
    assert await streak("112122", former="1", times=2) == (True, 2, 6)


FIGURES = {
    "baseline": {"requests": 1000, "errors": 2, "p95": 0.8},
    "canary": {"requests": 200, "errors": 0, "p95": 0.7},
}


@pytest.mark.parametrize(
    ("canary", "code", "says"),
    [
        ({}, 0, "promote to 25 %"),
        ({"errors": 60}, 1, "abort"),
        ({"requests": 5}, 3, "hold"),
    ],
)
async def test_a_canary_by_figures_of_real_traffic(
    canary: dict[str, int], code: int, says: str
) -> None:
    figures = {**FIGURES, "canary": {**FIGURES["canary"], **canary}}
    result = await gate("canary", "--figures", "-", given=json.dumps(figures))
    assert (result.return_value, says in result.output) == (code, True), result.output


@pytest.mark.parametrize("given", ["", "[]", "{}", '{"baseline": 3}', "{not json"])
async def test_figures_that_cannot_be_read_are_wrong_use(given: str) -> None:
    result = await gate("canary", "--figures", "-", given=given)
    assert isinstance(result.exception, UsageError), result.output


PROBES = """
defaults: {interval: 1s, timeout: 1s}
probes:
  - {name: blue, kind: tcp, job: app, address: "127.0.0.1:%d"}
  - {name: green, kind: tcp, job: app, address: "127.0.0.1:%d"}
  - {name: broken, kind: tcp, job: app, address: "127.0.0.1:9"}
"""


async def test_a_canary_by_the_probes_of_a_running_daemon(tmp_path: Path) -> None:
    async with serving(hangs) as server:
        files = {"probes.yml": PROBES % (server.port, server.port)}
        async with listening(tmp_path, files=files) as running:
            where = ("--url", running.url, "--baseline", "blue", "--samples", "2")

            async def decided() -> bool:
                return bool((await gate("canary", *where, "--canary", "green")).return_value == 0)

            await until_async(decided, what="a promotion", within=20)
            broken = await gate("canary", *where, "--canary", "broken", "--json")
            assert json.loads(broken.output)["decision"] in {"abort", "hold"}
            nobody = await gate("canary", *where, "--canary", "nobody")
            assert (nobody.return_value, "0 requests" in nobody.output) == (3, True)
    gone = await gate("canary", *where, "--canary", "green")
    assert isinstance(gone.exception, StewardmonError)


async def test_an_audit_of_a_report_a_lock_file_and_a_pipe(tmp_path: Path) -> None:
    hole = {"vulnerabilities": {"semver": {"severity": "high", "via": [], "range": "<5"}}}
    report = tmp_path / "audit.json"
    report.write_text(json.dumps(hole))
    assert (await gate("audit", str(report))).return_value == 1
    assert (await gate("audit", str(report), "--level", "critical")).return_value == 0
    assert (await gate("audit", "-", given='{"vulnerabilities": {}}')).return_value == 0
    lock = tmp_path / "package-lock.json"
    packages = {"node_modules/next": {"version": "15.2.0"}}
    lock.write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    result = await gate("audit", str(lock), "--json")
    assert result.return_value == 1
    assert {one["package"] for one in json.loads(result.output)["holes"]} == {"next"}


async def test_holes_of_the_framework_forbid_it_though_npm_cannot_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lock = tmp_path / "package-lock.json"
    packages = {"node_modules/next": {"version": "15.2.0"}}
    lock.write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    result = await gate("audit", str(tmp_path))
    assert (result.return_value, "CVE-2025-55182" in result.output) == (1, True)
    lock.write_text(json.dumps({"lockfileVersion": 3, "packages": {}}))
    result = await gate("audit", str(tmp_path))
    assert "npm is not installed" in str(result.exception)
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\necho \'{"vulnerabilities": {"a": {"severity": "high"}}}\'; exit 1\n')
    npm.chmod(0o755)
    assert (await gate("audit", str(tmp_path))).return_value == 1


@pytest.mark.parametrize("name", ["nowhere.json", "garbage.json"])
async def test_an_audit_of_what_cannot_be_read_is_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "garbage.json").write_bytes(b"\xff\xfe{")
    result = await gate("audit", str(tmp_path / name))
    assert isinstance(result.exception, UsageError), result.output
