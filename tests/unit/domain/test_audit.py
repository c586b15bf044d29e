"""npm's audits and lock files: what is known to be open, in both forms, and what is garbage."""

from __future__ import annotations

from typing import Any

import pytest

from stewardmon.domain.audit import read_audit, read_lock, worst
from stewardmon.errors import UsageError

SEVEN: dict[str, Any] = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "semver": {
            "name": "semver",
            "severity": "high",
            "via": [{"title": "ReDoS in semver", "severity": "high"}],
            "range": "<5.7.2",
            "fixAvailable": True,
        },
        "mocha": {"severity": "low", "via": ["semver"], "range": "*", "fixAvailable": False},
    },
}
SIX = {
    "advisories": {
        "1": {
            "module_name": "minimist",
            "severity": "critical",
            "title": "Prototype pollution",
            "vulnerable_versions": "<1.2.6",
        }
    }
}


def test_both_forms_of_npm_are_read() -> None:
    high, low = read_audit(SEVEN)
    assert high.text == "semver <5.7.2: ReDoS in semver; npm audit fix mends it"
    assert low.text == "mocha *: by way of semver; there is no fix yet"
    (old,) = read_audit(SIX)
    assert (old.level, old.text) == ("critical", "minimist <1.2.6: Prototype pollution")
    assert worst((low, high), level="high") == (high,)
    assert worst((low, high, old), level="low") == (old, high, low)


def test_a_severity_that_nobody_knows_counts_as_the_worst() -> None:
    odd = {"vulnerabilities": {"a": {"severity": "catastrophic"}, "b": 3}}
    assert {one.level for one in read_audit(odd)} == {"critical"}


@pytest.mark.parametrize(
    ("package", "version", "holes"),
    [
        ("next", "14.2.24", ["CVE-2025-29927"]),
        ("next", "14.2.25", []),
        ("next", "15.1.0", ["CVE-2025-29927", "CVE-2025-55182"]),
        ("next", "15.2.3", ["CVE-2025-55182"]),
        ("next", "15.5.6", ["CVE-2025-55182"]),
        ("next", "15.5.7", []),
        ("next", "15.5.7-canary.3", ["CVE-2025-55182"]),
        ("next", "16.0.7", []),
        ("next", "17.0.0", []),
        ("next", "not a version", []),
        ("react-server-dom-webpack", "19.2.0", ["CVE-2025-55182"]),
        ("nextra", "15.0.0", []),
    ],
)
def test_the_frameworks_own_holes_by_version(package: str, version: str, holes: list[str]) -> None:
    lock = {"lockfileVersion": 3, "packages": {f"node_modules/{package}": {"version": version}}}
    found = read_lock(lock)
    assert [one.text.split(": ")[1] for one in found] == holes
    assert all(one.level == "critical" for one in found)


def test_a_copy_deeper_down_is_found_too_and_the_old_form_is_read() -> None:
    deep = {"packages": {"": {}, "node_modules/a/node_modules/next": {"version": "13.0.0"}}}
    assert len(read_lock(deep)) == 1
    assert len(read_lock({"dependencies": {"next": {"version": "13.0.0"}, "b": None}})) == 1


@pytest.mark.parametrize(
    ("report", "says"),
    [
        ([], "no JSON object"),
        ({}, "neither vulnerabilities nor advisories"),
        ({"error": {"code": "ENOLOCK", "summary": "needs a lockfile"}}, "needs a lockfile"),
        ({"error": "boom"}, "boom"),
    ],
)
def test_what_is_no_report_is_said(report: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_audit(report)


@pytest.mark.parametrize("lock", [[], {}, {"packages": []}])
def test_what_is_no_lock_file_is_said(lock: Any) -> None:
    with pytest.raises(UsageError, match=r"no package-lock\.json"):
        read_lock(lock)
