"""The examples, but for their times, over real processes: PostgreSQL stops and comes back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from bench.servers import Receiver, Target
from stewardmon.demo.postgres import PostgresServer
from tests.support.process import stewardmon

EXAMPLES = Path(__file__).parents[3] / "shared" / "examples"
HOLD = 2.0
LEVEL_2 = 5.0


def _quick(rules: Path) -> None:
    """Lay out the examples with intervals of 1 s, `for` of 2 s, level 2 after 5 s."""
    rules.mkdir()
    for name in ("probes.yml", "alerts.yml", "oncall.yml"):
        text = (EXAMPLES / name).read_text()
        text = re.sub(r"interval: \w+", "interval: 1s", text)
        text = re.sub(r"timeout: 5s", "timeout: 900ms", text)
        text = re.sub(r'duration: "1m"', f'duration: "{HOLD:.0f}s"', text)
        text = re.sub(r"after: 30m", f"after: {LEVEL_2:.0f}s", text)
        (rules / name).write_text(text)


def _says(event: str, level: int = 0) -> Callable[[dict[str, Any]], bool]:
    def wanted(message: dict[str, Any]) -> bool:
        told = message["stewardmon"]
        about = message["groupLabels"].get("alertname") == "Database Issues"
        return about and told["event"] == event and level in {0, told["level"]}

    return wanted


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="shared/examples is not beside this clone")
async def test_a_stopped_database_pages_climbs_is_taken_and_its_recovery_is_told(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    async with Receiver() as receiver, Target() as app:
        _quick(tmp_path / "rules")
        environ = {
            "NEXT_PUBLIC_APP_URL": app.url.rstrip("/"),
            "DATABASE_URL": own_postgres.url,
            "OPENAI_BASE_URL": app.url.rstrip("/"),
            "OPENAI_API_KEY": "sk-proj-" + "a1b2c3d4" * 5,
            "PAGER_URL": receiver.url,
        }
        async with stewardmon(tmp_path, tmp_path / "rules", environ) as daemon:
            await asyncio.to_thread(own_postgres.stop, "immediate")
            stopped = perf_counter()
            page = await receiver.wait_for(_says("page", 1), after=0)
            paged = perf_counter()
            assert paged - stopped <= HOLD + 7.5  # alone 2.5 are enough

            await receiver.wait_for(_says("escalated", 2), after=0)
            assert -1.0 <= perf_counter() - paged - LEVEL_2 <= 4.0

            incident = page["stewardmon"]["incident"]
            answer = await daemon.post(f"/api/incidents/{incident}/ack", {"by": "senior"})
            assert answer.json()["state"] == "acknowledged"
            heard = len(receiver.messages)

            await asyncio.to_thread(own_postgres.start)
            resolved = await receiver.wait_for(_says("resolved"), after=heard)
            assert resolved["status"] == "resolved"
            later = [one["stewardmon"] for _, one in receiver.messages[heard:]]
            mine = [one["event"] for one in later if one["incident"] == incident]
            assert set(mine) <= {"acknowledged", "resolved"}
