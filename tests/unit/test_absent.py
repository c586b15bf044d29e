"""What the daemon's own process does not let itself import."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from stewardmon.cli.run import UNWANTED, absent


def test_a_package_is_absent_for_as_long_as_the_block_lasts() -> None:
    missing = [name for name in (*UNWANTED, "wave") if name not in sys.modules]
    with absent((*UNWANTED, "wave")):
        for name in missing:
            with pytest.raises(ModuleNotFoundError):
                import_module(name)
    assert not [name for name in missing if name in sys.modules]
    assert import_module("wave").__name__ == "wave"
