"""How far long work has come is shown on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from stewardmon.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_it_and_is_clean_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    shown = progress("seconds replayed")
    shown(1200, 86400)
    assert terminal.getvalue() == "\rseconds replayed: 1,200 of 86,400"
    shown(86400, 86400)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    progress("seconds replayed")(1, 2)
    assert file.getvalue() == ""
