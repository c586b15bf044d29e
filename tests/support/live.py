"""A real daemon on a real port, in this process: what peers talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from stewardmon.config.environment import Runtime
from stewardmon.config.loading import load
from stewardmon.process import Running, daemon
from stewardmon.settings import Secret

NOTHING_TO_WATCH = """
probes:
  - {name: self, kind: tcp, job: self, address: "127.0.0.1:9", interval: 1h, timeout: 1s}
"""
NO_RULES = "groups: []\n"
ONCALL = """
channels:
  pager: {kind: webhook, url: "${PAGER_URL}"}
people:
  dev:    {name: Dev, timezone: UTC, contacts: [{channel: pager, to: dev}]}
  senior: {name: Senior, timezone: UTC, contacts: [{channel: pager, to: senior}]}
policies:
  matrix:
    levels:
      - {level: 1, role: Developer, after: 0m, page: [dev]}
      - {level: 2, role: Senior, after: 2s, page: [senior]}
  calm:
    levels:
      - {level: 1, role: Developer, after: 0m, page: [dev]}
routes:
  - {match: {severity: warning}, policy: calm, group_by: [alertname, job]}
  - {matchers: ['team=~"a|b"'], policy: calm}
  - {policy: matrix}
inhibit_rules:
  - source_matchers: [severity=critical]
    target_matchers: [severity=warning]
    equal: [instance]
"""


@asynccontextmanager
async def listening(
    folder: Path,
    *,
    pager: str = "http://127.0.0.1:9/",
    token: str = "",
    files: Mapping[str, str] = {},
    state: str = "",
) -> AsyncIterator[Running]:
    """A daemon that listens on loopback, with its state in `folder`."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    given = {"probes.yml": NOTHING_TO_WATCH, "alerts.yml": NO_RULES, "oncall.yml": ONCALL}
    for name, text in {**given, **files}.items():
        (rules / name).write_text(text)
    runtime = Runtime(
        rules=rules,
        state=state or str(folder / "state.db"),
        port=0,
        token=Secret(token) if token else None,
    )
    async with daemon(runtime, load_config=lambda: load(rules, {"PAGER_URL": pager})) as running:
        yield running
