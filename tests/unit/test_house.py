"""The house: what the two commands, the image and the hooks rely on is there, and is clean."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from stewardmon import metrics
from tests.support.peers import PACKAGES

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = ("requirements.lock", "requirements-dev.lock")
#: Test tools that must never reach a machine which only runs stewardmon.
TEST_TOOLS: Final = {"pytest", "coverage", "hypothesis", "playwright", "mypy", "ruff", "aiosmtpd"}
#: Registries' hosts and this workplace's folders, spelt so that this file holds none of them.
FOREIGN: Final = re.compile(
    "|".join(
        "".join(parts)
        for parts in (
            ("py", r"pi\.(org|python)"),
            ("python", "hosted"),
            ("deb", r"\.debian\.org"),
            ("registry", r"\.npmjs"),
            ("/opt/", "(wheels|pypi)"),
            ("/work/", "(main|shared)"),
            (r"\.mir", "ror/"),
        )
    )
)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def project() -> dict[str, Any]:
    return tomllib.loads(text("pyproject.toml"))


def normal(requirement: str) -> str:
    """The normalised name of a requirement (PEP 503)."""
    name = re.split(r"[\s\[<>=;!~]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: str) -> dict[str, str]:
    """Each locked package's entry: its pin, its marker, its hashes."""
    entries = re.split(r"^(?=\S)", text(lock), flags=re.MULTILINE)
    return {normal(entry): entry for entry in entries if entry.strip()}


def pin(entry: str) -> str:
    """The version an entry is held to, whatever its extras; empty where it is held to none."""
    found = re.match(r"[\w.-]+(\[[\w, -]+\])?==(?P<version>\S+)", entry)
    return found["version"] if found else ""


def committed() -> list[Path]:
    """Every text file under git's eyes (all files, where git is not installed)."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_pinned_and_hashed(lock: str) -> None:
    entries = locked(lock)
    assert len(entries) > 30
    for name, entry in entries.items():
        assert pin(entry), f"{name} is not pinned in {lock}"
        assert "--hash=sha256:" in entry, f"{name} has no hash in {lock}"


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_no_address(lock: str) -> None:
    assert not re.search(r"://|@ |file:|--index|--find-links|--extra", text(lock))


def test_an_extra_that_somebody_asks_for_is_locked_with_it() -> None:
    """Else pip looks for a newer release of that extra, finds one some day, and has no hash."""
    assert locked("requirements-dev.lock")["coverage"].startswith("coverage[toml]==")
    assert locked("requirements.lock")["psycopg"].startswith("psycopg[binary, pool]==")


def test_the_lock_holds_what_the_project_asks_for() -> None:
    metadata = project()
    extras = metadata["project"]["optional-dependencies"].values()
    wanted = [*metadata["project"]["dependencies"], *(name for extra in extras for name in extra)]
    wanted += metadata["dependency-groups"]["build"]
    assert {normal(name) for name in wanted} <= set(locked("requirements.lock"))


def test_the_development_lock_is_the_same_and_the_test_tools() -> None:
    runtime, development = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: pin(runtime[name]) for name in runtime} == {
        name: pin(development[name]) for name in runtime
    }
    tools = [item for item in project()["dependency-groups"]["dev"] if isinstance(item, str)]
    assert {normal(name) for name in tools} <= set(development)


def test_no_test_tool_is_installed_with_the_daemon() -> None:
    assert not TEST_TOOLS & set(locked("requirements.lock"))
    assert set(locked("requirements-dev.lock")) >= TEST_TOOLS


def test_no_committed_file_names_a_registry_or_this_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in committed()
        for match in [FOREIGN.search(path.read_text(errors="ignore"))]
        if match
    ]
    assert found == []


@pytest.mark.parametrize("verb", ["demo", "run", "test", "lint", "bench", "screenshots"])
def test_make_knows_the_verb(verb: str) -> None:
    done = subprocess.run(
        ["make", "-n", verb], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_make_installs_only_with_hashes_or_without_dependencies() -> None:
    installs = [line for line in text("Makefile").splitlines() if "$(PIP) " in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_image_copies_only_what_exists_and_reaches_the_builder() -> None:
    let_in = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    copied = {
        name
        for line in text("Dockerfile").splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for name in line.split()[1:-1]
        if not name.startswith("--")
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_runs_unprivileged_with_hashes_and_asks_itself_for_its_health() -> None:
    image = text("Dockerfile")
    assert "--require-hashes -r requirements.lock" in image
    assert re.search(r"^USER (?!root)\w+$", image, re.MULTILINE)
    assert '["stewardmon", "check", "--live"]' in image
    assert "VOLUME /var/lib/stewardmon" in image


def test_ci_requires_peers_and_runs_lint_and_test() -> None:
    script = text(".ci/run")
    assert "export STEWARDMON_PEERS=required" in script
    assert re.search(r"^\s*make lint test$", script, re.MULTILINE)


def test_hooks_fetch_nothing() -> None:
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]


def test_every_peer_that_a_test_may_need_is_installed_by_make() -> None:
    assert set(PACKAGES.values()) <= set(text("tools/install-peers").split('"')[1].split())


def test_scripts_are_executable_and_parse() -> None:
    for script, shell in ((".ci/run", "bash"), ("tools/install-peers", "sh")):
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} is not executable"
        subprocess.run([shell, "-n", ROOT / script], check=True)


def test_the_licence_is_apache() -> None:
    assert project()["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text("LICENSE")


def _is_a_metric(one: object) -> bool:
    return hasattr(one, "collect") and hasattr(one, "describe") and not isinstance(one, type)


def test_every_metric_that_is_declared_is_set_somewhere() -> None:
    """A dashboard over a metric that nobody sets says that all is well."""
    declared = {name for name, one in vars(metrics).items() if _is_a_metric(one)}
    sources = [path.read_text() for path in (ROOT / "stewardmon").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r"\bmetrics\.([A-Z_]+)\b", text)}
    assert declared - used == set()
