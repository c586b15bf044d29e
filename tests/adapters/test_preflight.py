"""The guide's check-lists: what they say of variables, keys, packages, and of nobody there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stewardmon.clock import SystemClock
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.ports import Context
from stewardmon.rehearsal.checks import packages
from stewardmon.rehearsal.checks.flight import Flight, Line, Verdict
from stewardmon.rehearsal.preflight import LISTS, NAMES, PARTS, preflight
from tests.support.preflighting import FAIL, PASS, UNKNOWN, failing, fly, variables
from tests.support.probing import CLOCK
from tests.support.servers import hangs, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_cannot_be_known_of_an_app_without_tls_is_said_to_be_unknown(
    platform: Platform,
) -> None:
    lines = await fly(platform, "security", PROJECT_DIR="")
    assert failing(lines) == []
    assert {line.check for line in lines if line.verdict is UNKNOWN} == {"tls", "npm audit"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "", "it is not set"),
        ("DATABASE_URL", "postgresql://username:password@host:port/database", "placeholder"),
        ("DATABASE_URL", "mysql://u:p@db/steward", "begins with mysql://"),
        ("DATABASE_URL", "postgresql://u:p@db:6543/steward", "pgbouncer=true"),
        ("DIRECT_URL", "postgresql://u:p@db:6543/s?pgbouncer=true", "direct port"),
        ("SUPABASE_URL", "https://your-project.supabase.co", "placeholder"),
        ("SUPABASE_ANON_KEY", "not-a-key", "no key for the role anon"),
        ("SUPABASE_SERVICE_ROLE_KEY", "not-a-key", "no key for the role service_role"),
        ("OPENAI_API_KEY", "sk-your_openai_api_key", "placeholder"),
        ("OPENAI_API_KEY", "abc", "begin with sk-"),
        ("NEXT_PUBLIC_APP_URL", "http://steward.example", "https://"),
        ("NODE_ENV", "development", "expected production"),
        ("LOG_LEVEL", "debug", "too much for production"),
        ("SENTRY_DSN", "https://sentry.example/1", "a DSN is written"),
    ],
)
async def test_a_variable_that_cannot_be_right(
    platform: Platform, name: str, value: str, says: str
) -> None:
    lines = await fly(platform, "env", **{name: value})  # type: ignore[arg-type]
    (line,) = failing(lines)
    assert (line.check, says in line.detail) == (name, True), line
    assert not value or name in ("NODE_ENV", "LOG_LEVEL") or value not in line.detail


@pytest.mark.parametrize(
    ("given", "verdict", "says"),
    [
        ("2020-01-01", FAIL, "at most 90 wanted"),
        ("2999-01-01", FAIL, "in the future"),
        ("soon", FAIL, "no day such as"),
    ],
)
async def test_a_key_that_is_not_fresh_is_named(
    platform: Platform, given: str, verdict: Verdict, says: str
) -> None:
    lines = await fly(platform, "security", OPENAI_API_KEY_ROTATED_AT=given, PROJECT_DIR="")
    (line,) = [one for one in lines if one.check == "OPENAI_API_KEY is fresh"]
    assert (line.verdict, says in line.detail) == (verdict, True), line


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (None, ""),
        (Fault.CERTIFICATE_EXPIRED, "expired"),
        (Fault.CERTIFICATE_WRONG_NAME, "other names"),
    ],
)
async def test_the_certificate_of_an_app_on_tls_is_judged(
    platform: Platform, fault: Fault | None, says: str
) -> None:
    if fault is not None:
        await platform.faults.on(fault.value)
    lines = await fly(
        platform, "security", NEXT_PUBLIC_APP_URL=platform.app_tls_url, PROJECT_DIR=""
    )
    (line,) = [one for one in lines if one.check == "the certificate of NEXT_PUBLIC_APP_URL"]
    assert line.verdict is (PASS if fault is None else FAIL), line
    assert says in line.detail


class Impatient(SystemClock):
    """A clock that does not wait, and notes what it was asked to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


async def test_the_end_of_a_long_life_is_not_waited_for_and_that_is_said(
    platform: Platform,
) -> None:
    clock = Impatient()
    environ = {**variables(platform), "AGENT_CACHE_TTL": "1h"}
    lines = await preflight(["cache"], Flight(environ=environ, shared=Context(clock=clock)))
    assert clock.waits == [4]
    assert [line.verdict for line in lines] == [PASS, UNKNOWN], lines
    assert "should live 1h, too long to wait for here" in lines[1].detail
    (wrong,) = await fly(platform, "cache", AGENT_CACHE_TTL="an hour")
    assert (wrong.verdict, wrong.detail.startswith("AGENT_CACHE_TTL: ")) == (FAIL, True), wrong


async def test_a_server_without_limits_tells_of_none(platform: Platform) -> None:
    await platform.faults.on(Fault.OPENAI_MISSING_HEADERS.value)
    lines = await fly(platform, "openai", OPENAI_RATE_LIMITS="none")
    assert [line for line in failing(lines) if "ms wanted" not in line.detail] == []


async def test_the_limit_that_is_nearly_used_up_is_named(platform: Platform) -> None:
    await platform.faults.on(Fault.OPENAI_LOW_HEADROOM.value)
    told = [line.detail for line in failing(await fly(platform, "openai"))]
    assert "2% of the limit of tokens is left" in told


AUDITS = {
    "well": ('{"vulnerabilities": {"a": {"severity": "low"}}}', PASS, "1 known holes, none of"),
    "holes": ('{"vulnerabilities": {"a": {"severity": "high"}}}', FAIL, "high: a"),
    "offline": (
        '{"message": "connect ECONNREFUSED", "error": {"summary": ""}}',
        UNKNOWN,
        "npm could not audit: connect ECONNREFUSED",
    ),
    "garbage": ("npm ERR!", UNKNOWN, "npm audit wrote no JSON"),
    "hanging": ("", UNKNOWN, "npm audit did not end within 0.5 s"),
    "absent": ("", UNKNOWN, "npm is not installed here"),
}


@pytest.mark.parametrize("case", AUDITS)
async def test_npm_audits_the_project_or_it_is_said_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    said, verdict, detail = AUDITS[case]
    (tmp_path / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    npm = tmp_path / "npm"
    if case != "absent":
        last = "exec sleep 30" if case == "hanging" else f"echo '{said}'; exit 1"
        npm.write_text(f"#!/bin/sh\n{last}\n")
        npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if case == "hanging" else str(tmp_path))
    lines = await audited_lines(tmp_path)
    assert (lines[0].verdict, detail in lines[0].detail) == (verdict, True), lines


async def test_a_hole_of_the_framework_fails_without_npm_and_a_folder_without_a_lock_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    (line,) = await audited_lines(tmp_path)
    assert (line.verdict, "package-lock.json cannot be read" in line.detail) == (UNKNOWN, True)
    locked = {"node_modules/next": {"version": "15.2.0"}}
    lock = json.dumps({"lockfileVersion": 3, "packages": locked})
    (tmp_path / "package-lock.json").write_text(lock)
    assert {(line.verdict, "CVE" in line.detail) for line in await audited_lines(tmp_path)} == {
        (FAIL, True)
    }


async def audited_lines(folder: Path) -> list[Line]:
    environ = {"PROJECT_DIR": str(folder)}
    flight = Flight(environ=environ, shared=Context(clock=CLOCK), timeout=1.5)
    return [Line("security", *found) for found in await packages.audited(flight)]


async def test_the_service_key_in_the_browsers_place(platform: Platform) -> None:
    key = platform.identity.service_role_key
    lines = await fly(platform, "env", SUPABASE_ANON_KEY=key, NEXT_PUBLIC_SUPABASE_KEY=key)
    assert {line.check for line in failing(lines)} == {
        "SUPABASE_ANON_KEY",
        "NEXT_PUBLIC_SUPABASE_KEY",
    }
    assert key not in repr(lines)


async def test_what_costs_others_something_runs_when_it_is_named(platform: Platform) -> None:
    await platform.backups.make()  # the tests before this one have added rows
    scratch = platform.database.server.url_of("postgres")
    (well,) = await fly(platform, "restore", SCRATCH_DATABASE_URL=scratch)
    assert (well.verdict, "rows" in well.detail) == (PASS, True), well
    (unset,) = await fly(platform, "restore")
    assert (unset.verdict, "SCRATCH_DATABASE_URL" in unset.detail) == (UNKNOWN, True)
    await platform.faults.on(Fault.BACKUP_TRUNCATED.value)
    (cut,) = await fly(platform, "restore", SCRATCH_DATABASE_URL=scratch)
    assert cut.verdict is FAIL, cut
    (unlimited,) = await fly(platform, "burst")
    assert (unlimited.verdict, "no rate limit" in unlimited.detail) == (FAIL, True), unlimited


async def test_another_version_than_the_expected_one(platform: Platform) -> None:
    (line,) = failing(await fly(platform, "post", version="2.0.0"))
    assert line.detail == "wrong_answer: version 1.4.2 answers, expected 2.0.0"


async def test_every_name_is_a_list_or_a_part() -> None:
    assert set(NAMES) == set(LISTS) | set(PARTS)
    assert all(one in LISTS for parts in PARTS.values() for one in parts)


async def test_a_platform_that_never_answers_takes_less_than_ten_seconds() -> None:
    async with serving(hangs) as server:
        place = f"127.0.0.1:{server.port}"
        environ = {
            "DATABASE_URL": f"postgresql://u:p@{place}/app",
            "SUPABASE_URL": f"http://{place}",
            "SUPABASE_ANON_KEY": "sb_publishable_anything",
            "OPENAI_BASE_URL": f"http://{place}/v1",
            "OPENAI_STATUS_URL": f"http://{place}",
            "OPENAI_API_KEY": "sk-" + "a" * 30,
            "NEXT_PUBLIC_APP_URL": f"http://{place}",
            "SUPABASE_ACCESS_TOKEN": "sbp_anything",
            "SUPABASE_API_URL": f"http://{place}",
        }
        started = CLOCK.monotonic()
        lines = await preflight(["all"], Flight(environ=environ, shared=Context(clock=CLOCK)))
        took = CLOCK.monotonic() - started
    assert took < 10
    assert not [line for line in lines if line.verdict is PASS and line.list != "env"]
    assert len(failing(lines)) > 10
