"""The daemon dies seconds into an outage, before the newest samples reached the disk."""

from __future__ import annotations

from tests.support.daemon import running

DOWN = """
groups:
  - name: g
    rules: [{alert: Down, expr: 'probe_success{job="app"} == 0', labels: {severity: critical}}]
"""


async def test_what_history_missed_does_not_resolve_the_outage() -> None:
    async with running(alerts=DOWN) as daemon:
        await daemon.after(seconds=31)
        daemon.platform.app.goes_down()
        await daemon.after(seconds=2.9)
        assert daemon.said == ["page dev-a"]
        await daemon.restarts()
        await daemon.after(seconds=30)
        assert daemon.said == ["page dev-a"]
        assert len(daemon.incidents) == 1
        assert daemon.incidents[0].open
