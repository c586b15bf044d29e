"""A configuration that another process reads is what this one would have read."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from stewardmon.channels import KINDS as CHANNELS
from stewardmon.config import apart
from stewardmon.config.loading import load
from stewardmon.config.shipped import shipped
from stewardmon.errors import ConfigError, StewardmonError
from stewardmon.probes import KINDS as PROBES
from tests.config.environment import ENVIRON


def test_it_is_the_same_configuration() -> None:
    there = apart.loader(shipped(), ENVIRON)()
    assert there == load(shipped(), ENVIRON)
    assert there.rules
    assert {type(one.settings) for one in there.probes} == {
        PROBES[one.kind].settings for one in there.probes
    }
    assert {type(one.settings) for one in there.channels} <= {
        CHANNELS[one].settings for one in CHANNELS
    }


def test_each_reading_sees_the_files_as_they_then_are(tmp_path: Path) -> None:
    written = tmp_path / "probes.yml"
    written.write_text("probes: [{name: a, kind: tcp, address: '127.0.0.1:9'}]\n")
    read = apart.loader(tmp_path, ENVIRON)
    assert [one.name for one in read().probes] == ["a"]
    written.write_text("probes: [{name: b, kind: tcp, address: '127.0.0.1:9'}]\n")
    assert [one.name for one in read().probes] == ["b"]


def test_a_regular_expression_and_a_condition_come_over(tmp_path: Path) -> None:
    (tmp_path / "probes.yml").write_text(
        "probes: [{name: a, kind: http, url: 'http://127.0.0.1:9/',"
        " expect: {json: {a.b: {equals: null}, c: {in: [x, y]}}, body: {matches: 'a.*b'}}}]\n"
    )
    (tmp_path / "alerts.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'probe_success{probe=~\"a.*\"} == 0'}]}]\n"
    )
    there = apart.loader(tmp_path, ENVIRON)()
    assert there == load(tmp_path, ENVIRON)
    (rule,) = there.rules
    assert rule == load(tmp_path, ENVIRON).rules[0]
    settings = there.probes[0].settings
    condition = settings.expect.json_  # type: ignore[attr-defined]
    said = [list(one.complaints("it", 1)) for one in condition.values()]
    assert said == [["it is 1, expected null"], ["it is 1, expected one of x, y"]]


def test_every_mistake_comes_over_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "probes.yml").write_text("probes: [{name: a, kind: tpc}]\n")
    with pytest.raises(ConfigError) as here:
        load(tmp_path, ENVIRON)
    with pytest.raises(ConfigError) as there:
        apart.loader(tmp_path, ENVIRON)()
    assert there.value.mistakes == here.value.mistakes
    assert str(there.value) == str(here.value)


def test_what_a_validator_prints_stands_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert apart.loader(shipped(), ENVIRON)() == load(shipped(), ENVIRON)


def test_a_process_that_is_killed_is_said_to_be(tmp_path: Path) -> None:
    reading = apart.Reading(tmp_path, ENVIRON)
    os.kill(reading.pid, signal.SIGKILL)
    with pytest.raises(StewardmonError, match=r"reads the configuration ended with -9"):
        reading.result()


def test_a_process_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PATIENCE", 0.01)
    reading = apart.Reading(tmp_path, ENVIRON)
    with pytest.raises(StewardmonError, match=r"was not read within 0\.01 s"):
        reading.result()
    with pytest.raises(ProcessLookupError):
        os.kill(reading.pid, 0)


def test_a_process_that_cannot_start_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_COMMAND", (f"{sys.executable}-gone",))
    with pytest.raises(StewardmonError, match="cannot be started: No such file"):
        apart.Reading(tmp_path, ENVIRON)
