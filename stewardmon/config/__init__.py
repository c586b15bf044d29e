"""The three files and the environment: read, checked, frozen."""

from __future__ import annotations

from stewardmon.config.alerts import load_rule_file
from stewardmon.config.environment import Runtime, read_environment
from stewardmon.config.loading import load
from stewardmon.config.values import Config

__all__ = [
    "Config",
    "Runtime",
    "load",
    "load_rule_file",
    "read_environment",
]
