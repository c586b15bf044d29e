"""A configuration that another process reads is what this one would have read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from stewardmon.config import apart
from stewardmon.config.apart import Reading
from stewardmon.config.loading import load
from stewardmon.config.shipped import shipped
from stewardmon.errors import ConfigError, StewardmonError
from stewardmon.probes import KINDS
from tests.config.environment import ENVIRON


class Begins(Protocol):
    """Begins to read a folder."""

    def __call__(self, folder: Path | None, environ: Mapping[str, str]) -> Reading: ...


@pytest.fixture(params=["fork", "spawn"])
def begin(request: pytest.FixtureRequest) -> Begins:
    found: Begins = getattr(apart, request.param)
    return found


def test_it_is_the_same_configuration(begin: Begins) -> None:
    there = begin(shipped(), ENVIRON).result()
    assert there == load(shipped(), ENVIRON)
    assert there.rules
    assert [type(one.settings) for one in there.probes] == [
        KINDS[one.kind].settings for one in there.probes
    ]


def test_each_reading_sees_the_files_as_they_then_are(tmp_path: Path) -> None:
    written = tmp_path / "probes.yml"
    written.write_text("probes: [{name: a, kind: tcp, address: '127.0.0.1:9'}]\n")
    read = apart.loader(tmp_path, ENVIRON)
    assert [one.name for one in read().probes] == ["a"]
    for name in ("b", "c"):
        written.write_text(f"probes: [{{name: {name}, kind: tcp, address: '127.0.0.1:9'}}]\n")
        assert [one.name for one in read().probes] == [name]


def test_regular_expressions_and_conditions_come_over(begin: Begins, tmp_path: Path) -> None:
    (tmp_path / "probes.yml").write_text(
        "probes: [{name: a, kind: http, url: 'http://127.0.0.1:9/',"
        " expect: {json: {a.b: {equals: null}, c: {in: [x, y]}}, body: {matches: 'a.*b'}}}]\n"
    )
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'probe_success{probe=~\"a.*\"} == 0'}]}]\n"
    )
    (tmp_path / "oncall.yml").write_text(
        "channels: {pager: {kind: console}}\n"
        "people: {dev: {name: D, timezone: UTC, contacts: [{channel: pager, to: dev}]}}\n"
        "policies: {all: {levels: [{level: 1, role: D, after: 0m, page: [dev]}]}}\n"
        "routes: [{policy: all, match: {service: '/pg.*x/'}}, {policy: all}]\n"
    )
    there = begin(tmp_path, ENVIRON).result()
    assert there == load(tmp_path, ENVIRON)
    (matcher,) = there.routes[0].matchers
    assert [matcher.accepts(one) for one in ("pg-x", "pg\nx", "pg-y")] == [True, True, False]
    settings: Any = there.probes[0].settings
    said = [list(one.complaints("it", 1)) for one in settings.expect.json_.values()]
    assert said == [["it is 1, expected null"], ["it is 1, expected one of x, y"]]


def test_every_mistake_comes_over_with_its_place(begin: Begins, tmp_path: Path) -> None:
    (tmp_path / "probes.yml").write_text("probes: [{name: a, kind: tpc}]\n")
    with pytest.raises(ConfigError) as here:
        load(tmp_path, ENVIRON)
    with pytest.raises(ConfigError) as there:
        begin(tmp_path, ENVIRON).result()
    assert there.value.mistakes == here.value.mistakes
    assert str(there.value) == str(here.value)


def test_what_a_start_prints_stands_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert apart.spawn(shipped(), ENVIRON).result() == load(shipped(), ENVIRON)


def test_a_bug_there_is_told_and_ends_nothing_here(tmp_path: Path) -> None:
    script = f"""
from collections.abc import Mapping
from pathlib import Path
import stewardmon.config.loading as loading
from stewardmon.config import apart
loading.load = None
try:
    apart.fork(Path({str(tmp_path)!r}), {{}}).result()
except Exception as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    said = "the process that reads the configuration ended with 1 and said nothing\n"
    assert (done.returncode, done.stdout) == (0, said)
    assert "TypeError: 'NoneType' object is not callable" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux only")
def test_where_memory_runs_out_the_reader_goes_first(begin: Begins, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret")
    (tmp_path / "probes.yml").write_text("probes: [{name: '${A}', kind: tcp}]\n")
    reading = begin(tmp_path, {"A_FILE": str(tmp_path / "secret")})
    try:
        with (tmp_path / "secret").open("w"):  # opens once the reader is at it
            assert Path(f"/proc/{reading.pid}/oom_score_adj").read_text() == "1000\n"
    finally:
        with pytest.raises(ConfigError):
            reading.result()


def test_a_process_that_is_killed_is_said_to_be(begin: Begins, tmp_path: Path) -> None:
    reading = begin(tmp_path, ENVIRON)
    os.kill(reading.pid, signal.SIGKILL)
    with pytest.raises(StewardmonError, match=r"reads the configuration ended with -9"):
        reading.result()


def test_a_process_that_hangs_is_not_waited_for(
    begin: Begins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PATIENCE", 0.01)
    reading = begin(tmp_path, ENVIRON)
    os.kill(reading.pid, signal.SIGSTOP)
    with pytest.raises(StewardmonError, match=r"was not read within 0\.01 s"):
        reading.result()
    with pytest.raises(ProcessLookupError):
        os.kill(reading.pid, 0)


def test_a_process_that_cannot_start_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_COMMAND", (f"{sys.executable}-gone",))
    with pytest.raises(StewardmonError, match="cannot be started: No such file"):
        apart.spawn(tmp_path, ENVIRON)
