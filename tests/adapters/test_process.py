"""The daemon as a process: what it says when it cannot start, and how it reloads and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from bench.servers import Receiver, Target
from stewardmon import __version__
from stewardmon.clock import SystemClock
from tests.support.plain import NO_TLS
from tests.support.process import Process, stewardmon
from tests.support.waiting import until_async

PROBES = "probes:\n  - {{name: app, kind: http, job: app, interval: 1s, url: '{url}'}}\n"
DOWN = """
groups:
  - name: g
    rules: [{alert: Down, expr: 'probe_success{job="app"} == 0', labels: {severity: critical}}]
"""
ONCALL = """
channels: {{pager: {{kind: webhook, url: "{url}"}}}}
people: {{dev: {{name: D, timezone: UTC, contacts: [{{channel: pager, to: dev}}]}}}}
policies: {{matrix: {{levels: [{{level: 1, role: developer, after: 0m, page: [dev]}}]}}}}
routes: [{{policy: matrix}}]
"""


def _rules(folder: Path, *, target: str, alerts: str = DOWN, oncall: str = "") -> Path:
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "probes.yml").write_text(PROBES.format(url=target))
    (rules / "alerts.yml").write_text(alerts)
    if oncall:
        (rules / "oncall.yml").write_text(oncall)
    return rules


async def _run(*arguments: str, cwd: Path, **environ: str) -> tuple[int, str]:
    """Run stewardmon to its end; return its exit code and everything it said."""
    clean = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stewardmon", *arguments,
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await child.communicate()
    return child.returncode or 0, said.decode()


async def test_with_nothing_set_it_names_what_is_missing_and_points_to_the_demo(
    tmp_path: Path,
) -> None:
    code, said = await _run("run", cwd=tmp_path)
    assert code == 1
    assert "DATABASE_URL" in said
    assert "NEXT_PUBLIC_APP_URL" in said
    assert "stewardmon demo" in said
    assert "Traceback" not in said


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    rules = _rules(tmp_path, target="http://127.0.0.1:1/")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await _run("run", "--rules", str(rules), "--listen", address, cwd=tmp_path)
    assert code == 1
    assert said.count("\n") == 1
    assert f"cannot listen on {address}" in said


@pytest.mark.parametrize(
    ("state", "told"),
    [("/proc/nowhere/state.db", "state"), (".", "state"), ("garbage.db", "garbage.db")],
)
async def test_a_state_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, state: str, told: str
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"SQLite format 3\0" + b"\xde\xad" * 4000)
    rules = _rules(tmp_path, target="http://127.0.0.1:1/")
    code, said = await _run(
        "run", "--rules", str(rules), "--state", state, "--listen", "127.0.0.1:0", cwd=tmp_path
    )
    assert code == 1
    assert told in said
    assert "Traceback" not in said


async def test_every_mistake_is_said_at_once_with_its_place(tmp_path: Path) -> None:
    rules = _rules(tmp_path, target="http://127.0.0.1:1/", alerts="alerts:\n  - {nam: x}\n")
    (rules / "oncall.yml").write_bytes(b"\x00\xff garbage")
    code, said = await _run("check", "--rules", str(rules), cwd=tmp_path)
    assert code == 1
    assert "alerts.yml:2:" in said
    assert "oncall.yml" in said
    assert "Traceback" not in said


async def test_a_second_daemon_on_one_state_is_refused(tmp_path: Path) -> None:
    async with Target() as app:
        rules = _rules(tmp_path, target=app.url)
        async with stewardmon(tmp_path, rules):
            code, said = await _run(
                "run", "--rules", str(rules), "--state", str(tmp_path / "state.db"),
                "--listen", "127.0.0.1:0", cwd=tmp_path,
            )  # fmt: skip
        assert code == 1
        assert "Traceback" not in said
        assert "state.db" in said


async def test_a_hangup_reloads_and_a_file_that_does_not_load_changes_nothing(
    tmp_path: Path,
) -> None:
    async with Target() as app:
        rules = _rules(tmp_path, target=app.url)
        async with stewardmon(tmp_path, rules) as daemon:
            two = PROBES.format(url=app.url) + f"  - {{name: two, kind: http, url: '{app.url}'}}\n"
            (rules / "probes.yml").write_text(two)
            daemon.child.send_signal(signal.SIGHUP)
            await until_async(lambda: _has_probes(daemon, {"app", "two"}), what="two probes")

            (rules / "probes.yml").write_text("probes: [{name: broken}]\n")
            refused = await daemon.post("/-/reload", {})
            assert refused.status_code == 422
            assert "probes.yml:1:" in refused.text
            assert await _has_probes(daemon, {"app", "two"})
            assert "probes.yml" in (await daemon.get("/readyz"))["config_error"]
        assert daemon.child.returncode == 0


async def test_the_link_shows_by_get_and_acknowledges_by_post(tmp_path: Path) -> None:
    async with Receiver() as receiver, Target() as app:
        app.down = True
        rules = _rules(tmp_path, target=app.url, oncall=ONCALL.format(url=receiver.url))
        async with stewardmon(tmp_path, rules) as daemon:
            page = await receiver.wait_for(
                lambda one: one["stewardmon"]["event"] == "page", after=0
            )
            incident, link = page["stewardmon"]["incident"], page["stewardmon"]["ack_url"]
            async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as browser:
                shown = await browser.get(link)
                assert shown.status_code == 200
                assert (await daemon.get(f"/api/incidents/{incident}"))["state"] == "open"
                assert (await browser.post(link)).is_success
                forged = await browser.post(link[:-3] + "abc")
            assert forged.status_code == 403
            told = await daemon.get(f"/api/incidents/{incident}")
            assert (told["state"], told["acknowledged_by"]) == ("acknowledged", "dev")


async def test_an_incident_is_acknowledged_from_the_command_line(tmp_path: Path) -> None:
    async with Target() as app:
        app.down = True
        rules = _rules(tmp_path, target=app.url)
        async with stewardmon(tmp_path, rules) as daemon:
            (incident,) = await until_async(lambda: _open_incidents(daemon), what="an incident")
            ident = str(incident["id"])
            reach = {"STEWARDMON_URL": daemon.url, "STEWARDMON_TOKEN": "test-token"}
            code, said = await _run("incident", "ack", ident, "--by", "me", cwd=tmp_path, **reach)
            assert (code, said) == (0, f"{ident} is acknowledged by me\n")
            code, said = await _run("incident", "list", cwd=tmp_path, **reach)
            assert "acknowledged" in said
            wrong = {**reach, "STEWARDMON_TOKEN": "wrong"}
            code, said = await _run("incident", "resolve", ident, cwd=tmp_path, **wrong)
            assert code == 2
            assert "STEWARDMON_TOKEN" in said


async def test_a_channel_is_tested_without_a_daemon(tmp_path: Path) -> None:
    drill = ("oncall", "drill", "--by", "me", "--rules", str(tmp_path / "rules"), "--channel")
    async with Receiver() as receiver:
        _rules(tmp_path, target="http://127.0.0.1:9/", oncall=ONCALL.format(url=receiver.url))
        assert await _run(*drill, "pager", cwd=tmp_path) == (0, "dev over pager to dev: sent\n")
        [(_, message)] = receiver.messages
        assert (message["stewardmon"]["event"], message["stewardmon"]["to"]) == ("drill", "dev")
        code, said = await _run(*drill, "phone", cwd=tmp_path)
        assert code != 0
        assert "phone" in said
        assert "Traceback" not in said
    code, said = await _run(*drill, "pager", cwd=tmp_path)
    assert code == 1
    assert said.startswith("dev over pager to dev: ")
    assert "sent" not in said


async def test_why_is_asked_of_an_incident_and_of_a_rule_at_a_time(tmp_path: Path) -> None:
    async with Receiver() as receiver, Target() as app:
        rules = _rules(tmp_path, target=app.url, oncall=ONCALL.format(url=receiver.url))
        async with stewardmon(tmp_path, rules) as daemon:
            await until_async(lambda: _has_probes(daemon, {"app"}), what="an answer")
            before = SystemClock().now().isoformat()
            app.down = True
            page = await receiver.wait_for(
                lambda one: one["stewardmon"]["event"] == "page", after=0
            )
            reach = {"STEWARDMON_URL": daemon.url, "STEWARDMON_TOKEN": "test-token"}
            why, paged = ("incident", "why"), "paged: level 1 (developer): dev over pager"
            ident = page["stewardmon"]["incident"]
            code, said = await _run(*why, ident, cwd=tmp_path, **reach)
            assert (code, paged in said) == (0, True), said
            code, said = await _run(*why, "--rule", "Down", "--at", before, cwd=tmp_path, **reach)
            assert (code, paged in said) == (0, False), said
            code, said = await _run(*why, "--rule", "Down", cwd=tmp_path, **reach)
            assert (code, paged in said) == (0, True), said
            code, said = await _run(*why, "--rule", "Gone", cwd=tmp_path, **reach)
            assert "Gone" in said
            assert "Traceback" not in said


async def test_commands_find_the_daemon_of_their_own_environment(tmp_path: Path) -> None:
    async with Target() as app:
        async with stewardmon(tmp_path, _rules(tmp_path, target=app.url)) as daemon:
            port = daemon.url.rpartition(":")[2]
            reach = {"STEWARDMON_LISTEN": f"0.0.0.0:{port}", "STEWARDMON_TOKEN": "test-token"}
            code, said = await _run("silence", "list", cwd=tmp_path, **reach)
            assert code == 0, said
            code, said = await _run("check", "--live", cwd=tmp_path, **reach)
            assert code == 0, said
        code, said = await _run("check", "--live", cwd=tmp_path, **reach)
        assert code == 1
        assert said.startswith(f"no stewardmon answers at http://127.0.0.1:{port} ")


async def test_it_says_of_itself_which_version_runs_and_how_late_its_loop_is(
    tmp_path: Path,
) -> None:
    async def told(question: str) -> list[dict[str, str]]:
        answer = await daemon.get(f"/api/v1/query?query={question}")
        return [one["metric"] for one in answer["data"]["result"]]

    async with Target() as app, stewardmon(tmp_path, _rules(tmp_path, target=app.url)) as daemon:
        lag = "stewardmon_event_loop_lag_seconds_count>0"
        await until_async(lambda: told(lag), what="the loop's lag is a series")
        assert await told("stewardmon_slow_callbacks_total")
        (build,) = await told("stewardmon_build_info==1")
        assert build["version"] == __version__


async def _has_probes(daemon: Process, names: set[str]) -> bool:
    return {one["probe"] for one in (await daemon.get("/api/probes"))["probes"]} == names


async def _open_incidents(daemon: Process) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await daemon.get("/api/incidents"))["incidents"]
    return found


async def test_a_sign_of_life_goes_out_and_a_viewer_needs_their_token(tmp_path: Path) -> None:
    async with Target() as app, Target() as other_side:
        environ = {
            "STEWARDMON_DEADMAN_URL": f"{other_side.url}ping/secret-key",
            "STEWARDMON_VIEWER_TOKEN": "look-only",
        }
        async with stewardmon(tmp_path, _rules(tmp_path, target=app.url), environ) as daemon:
            async with asyncio.timeout(20):
                await other_side.first.wait()
            async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as stranger:
                assert (await stranger.get(f"{daemon.url}/api/incidents")).status_code == 401
                viewer = {"Authorization": "Bearer look-only"}
                shown = await stranger.get(f"{daemon.url}/api/incidents", headers=viewer)
                assert shown.status_code == 200
            assert "secret-key" not in daemon.log.read_text()
