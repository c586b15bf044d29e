"""The three files and the environment: read, checked, frozen.

What a configuration is stands here; what reads one (`config.loading`, and `config.apart` for the
daemon) loads pydantic and YAML, and is imported where that is meant.
"""

from __future__ import annotations

from stewardmon.config.environment import Runtime, read_environment
from stewardmon.config.values import Config

__all__ = ["Config", "Runtime", "read_environment"]
