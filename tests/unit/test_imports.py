"""What a daemon does not load that nobody asked it for: seconds of a start, megabytes at rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: Needed by other probes, channels, states, pages or commands than those that are configured.
UNUSED = (
    "apprise",
    "apscheduler",
    "cryptography",
    "httpx",
    "icalendar",
    "jinja2",
    "aiosmtplib",
    "psycopg",
    "pydantic",
    "re2",
    "resvg_py",
    "sentry_sdk",
    "stewardmon.channels.email",
    "stewardmon.config.schema",
    "stewardmon.demo",
    "stewardmon.probes.backup",
    "stewardmon.probes.restore_drill",
    "stewardmon.config.loading",
    "stewardmon.rehearsal",
    "yaml",
)
#: Loaded beside the first asks, which wait for none of it.
LATER = (
    "prometheus_client",
    "starlette",
    "stewardmon.app",
    "stewardmon.service",
    "uvicorn",
)
FILES = {
    "probes.yml": 'probes: [{name: app, kind: http, job: app, url: "http://127.0.0.1:9"}]\n',
    "oncall.yml": """
channels: {pager: {kind: webhook, url: "http://127.0.0.1:9"}}
people: {dev: {name: D, timezone: UTC, contacts: [{channel: pager, to: dev}]}}
policies: {matrix: {levels: [{level: 1, role: developer, after: 0m, page: [dev]}]}}
routes: [{policy: matrix}]
""",
}
UP = f"""
import asyncio, sys
from pathlib import Path
from stewardmon import cli
from stewardmon.cli import run
from stewardmon.config import apart
from stewardmon.config.environment import read_environment
from stewardmon.process import daemon
import stewardmon.probes.http

print([name for name in {LATER} if name in sys.modules])

async def up():
    folder = sys.argv[1]
    runtime = read_environment({{}}, rules=folder, state=folder + "/s.db", listen="127.0.0.1:0")
    async with daemon(runtime, load_config=apart.loader(Path(folder), {{}})):
        print("up", [name for name in {UNUSED} if name in sys.modules])

asyncio.run(up())
"""


def test_a_daemon_loads_what_is_configured_and_most_of_it_after_its_first_asks(
    tmp_path: Path,
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", UP, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert (lines[:1], lines[-1:]) == (["[]"], ["up []"]), done.stdout + done.stderr
