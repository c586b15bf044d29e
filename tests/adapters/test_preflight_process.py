"""`stewardmon preflight` and `gate` as a pipeline runs them: processes, exit codes, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stewardmon.demo.platform import Platform
from stewardmon.rehearsal.preflight import BY_NAME, LISTS
from tests.support.preflighting import called, variables
from tests.support.probing import CLOCK
from tests.support.servers import closed_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

CACHE_TTL = timedelta(seconds=3)  # its end is waited for
# What cannot be known of this platform: its memory, and what npm's registry says of its packages.
UNKNOWABLE = {("performance", "memory and processor"), ("security", "npm audit")}
CHECK = {"list": str, "check": str, "verdict": str, "detail": str}
SUMMARY = {"ok": bool, "pass": int, "fail": int, "unknown": int, "checks": list}


def environment(platform: Platform) -> dict[str, str]:
    return {
        **variables(platform),
        "NEXT_PUBLIC_APP_URL": platform.app_tls_url,
        "SSL_CERT_FILE": platform.environment()["CA_FILE"],
        "SCRATCH_DATABASE_URL": platform.database.server.url_of("postgres"),
    }


def shaped(value: Mapping[str, Any], shape: Mapping[str, type]) -> None:
    """Fail unless the object has these fields, of these types, and no more."""
    assert {name: type(one) for name, one in value.items()} == dict(shape)


async def test_every_list_of_a_healthy_platform_says_go_and_leaves_nothing_open(
    platform: Platform,
) -> None:
    await platform.backups.make()  # other tests may have added rows
    named = ("all", *sorted(BY_NAME - {"burst"}))
    code, out, err = await called(
        "preflight", *named, "--version", "1.4.2", "--json", environ=environment(platform)
    )
    told = json.loads(out)
    wrong = [one for one in told["checks"] if one["verdict"] == "fail"]
    # A benchmark may be missed for this machine's load alone: that is an honest no.
    assert [one for one in wrong if "ms wanted" not in one["detail"]] == []
    assert (code, told["ok"], err) == (int(bool(wrong)), not wrong, "")
    open_ = {(one["list"], one["check"]) for one in told["checks"] if one["verdict"] == "unknown"}
    assert open_ <= UNKNOWABLE, [one for one in told["checks"] if one["verdict"] == "unknown"]
    shaped(told, SUMMARY)
    for one in told["checks"]:
        shaped(one, CHECK)
    assert {one["list"] for one in told["checks"]} == set(LISTS) - {"burst"}
    for name in ("pass", "fail", "unknown"):
        assert told[name] == sum(one["verdict"] == name for one in told["checks"])
    for secret in (platform.identity.openai_key, platform.identity.database_password):
        assert secret not in out


async def test_a_burst_is_held_off_by_an_app_with_limits(platform: Platform) -> None:
    platform.limits.per_address = 20
    try:
        code, out, _ = await called("preflight", "burst", environ=environment(platform))
    finally:
        platform.limits.per_address = None
    assert (code, out.splitlines()[-1]) == (0, "1 pass, 0 fail, 0 unknown: go"), out


async def test_a_platform_that_is_not_there_ends_in_ten_seconds(tmp_path: Path) -> None:
    place = f"127.0.0.1:{closed_port()}"
    environ = {
        "DATABASE_URL": f"postgresql://u:p@{place}/app",
        "DIRECT_URL": f"postgresql://u:p@{place}/app",
        "SUPABASE_URL": f"http://{place}",
        "SUPABASE_ANON_KEY": "sb_publishable_anything",
        "OPENAI_BASE_URL": f"http://{place}/v1",
        "OPENAI_STATUS_URL": f"http://{place}",
        "OPENAI_API_KEY": "sk-" + "a" * 30,
        "NEXT_PUBLIC_APP_URL": f"http://{place}",
        "BACKUP_DIR": str(tmp_path / "none"),
        "LOG_DIR": str(tmp_path / "none"),
    }
    begun = CLOCK.monotonic()
    code, out, err = await called("preflight", "--json", environ=environ)
    assert CLOCK.monotonic() - begun < 10
    told = json.loads(out)
    assert (code, told["ok"], err) == (1, False, "")
    shaped(told, SUMMARY)
    passed = [one for one in told["checks"] if one["verdict"] == "pass" and one["list"] != "env"]
    assert passed == []
    assert told["fail"] > 10


STREAK = {"ok": bool, "good": int, "asked": int, "version": str, "detail": str}
SIZES = ("stewardmon_page_bytes", "stewardmon_page_wire_bytes")
PAGE = {"ok": bool, "detail": str, **dict.fromkeys(SIZES, float)}
AUDIT = {"ok": bool, "known": int, "holes": list}
CANARY = {"decision": str, "reasons": list, "step": int, "next_step": int}
AUDIT_WELL = '{"vulnerabilities": {"a": {"severity": "low"}}}'


async def test_the_gates_speak_json_of_one_shape(platform: Platform, tmp_path: Path) -> None:
    app, quick = platform.app_url, ("--every", "0.05", "--within", "4", "--json")
    audit, figures = tmp_path / "audit.json", tmp_path / "figures.json"
    audit.write_text(AUDIT_WELL)
    group = {"requests": 1000, "errors": 1, "p95": 0.2}
    figures.write_text(json.dumps({"baseline": group, "canary": group}))
    asked: dict[str, tuple[tuple[str, ...], dict[str, type]]] = {
        "healthy": ((app, *quick), STREAK),
        "green": ((app, app, *quick), {**STREAK, "blue": dict}),
        "canary": (("--figures", str(figures), "--json"), CANARY),
        "page": ((app, "--json"), PAGE),
        "audit": ((str(audit), "--json"), AUDIT),
    }
    for name, (words, shape) in asked.items():
        code, out, err = await called("gate", name, *words, environ={})
        assert (code, err) == (0, ""), (name, out, err)
        told = json.loads(out)
        shaped(told, shape)
        if name == "green":
            shaped(told["blue"], {"healthy": bool, "detail": str})
