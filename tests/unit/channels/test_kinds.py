"""The table of kinds: cheap to read, and explained to editors without a secret's default."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from stewardmon.channels import KINDS

HEAVY = ("httpx", "aiosmtplib", "jinja2", "apprise", "certifi")


def test_reading_settings_imports_nothing_heavy() -> None:
    script = f"import sys, stewardmon.channels; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kinds_settings_have_a_schema(kind: str) -> None:
    schema = TypeAdapter(KINDS[kind].settings).json_schema()
    assert schema["additionalProperties"] is False
    assert {"timeout", "per_minute"} <= set(schema["properties"])
