"""The environment in which the examples are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

EXAMPLES: Final = Path(__file__).parent / "examples"
ENVIRON: Final[Mapping[str, str]] = {
    "NEXT_PUBLIC_APP_URL": "https://steward.example.org",
    "DATABASE_URL": "postgresql://steward:hunter22@db.example.org:6543/postgres",
    "OPENAI_API_KEY": "sk-real-0123456789",
    "PAGER_URL": "http://127.0.0.1:9999/page",
    "WORD": "hunter22secret",
}
