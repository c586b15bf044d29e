"""Reports come at their hours, once each, also after a pause; tasks are kept track of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stewardmon.domain.notification import NotificationEvent
from stewardmon.domain.report import ReportKind, as_text
from stewardmon.engine.tasks import TaskError
from tests.support.daemon import ONCALL, Daemon, running

# The virtual clock begins on Monday 2026-11-23 at 12:00 UTC, 13:00 in Berlin.
REPORTS = """
reports:
  timezone: Europe/Berlin
  daily: "13:30"
  weekly: never
  monthly: never
  to: [{channel: mail, to: team@example.org}]
"""
SLOW = "defaults: {interval: 1m, timeout: 5s}\nprobes:\n" + "".join(
    f"  - {{name: {name}, kind: scripted, job: {name}, target: {name}}}\n"
    for name in ("app", "database", "openai")
)


def reports(daemon: Daemon) -> list[str]:
    """Which reports arrived, and where."""
    return [
        f"{one.title} → {to}"
        for _, to, one in daemon.pager.sent
        if one.event is NotificationEvent.REPORT
    ]


async def test_the_daily_report_is_sent_at_its_hour_and_says_what_was_recorded() -> None:
    async with running(oncall=ONCALL + REPORTS, probes=SLOW) as daemon:
        await daemon.after(minutes=29)
        assert reports(daemon) == []
        await daemon.after(minutes=2)
        assert reports(daemon) == [
            "Daily report, 22 Nov 13:30 to 23 Nov 2026 13:30 → team@example.org"
        ]
        body = daemon.pager.sent[-1][2].description
        assert "app: available" in body
        assert "100 %" in body
        assert "[no data for 23 h 30 min]" in body
        (kept,) = daemon.running.live.reports.listed()
        assert kept.id == "daily-20261123T1230"


async def test_an_hour_missed_is_made_up_for_once_after_the_restart() -> None:
    async with running(oncall=ONCALL + REPORTS, probes=SLOW) as daemon:
        await daemon.after(minutes=1)
        await daemon.killed()
        await daemon.clock.sleep(3600)
        await daemon.start()
        await daemon.after(minutes=1)
        assert len(reports(daemon)) == 1
        await daemon.restarts()
        await daemon.after(minutes=5)
        assert len(reports(daemon)) == 1
        assert len(daemon.running.live.reports.listed()) == 1


async def test_a_reload_moves_the_hour() -> None:
    async with running(oncall=ONCALL + REPORTS, probes=SLOW) as daemon:
        await daemon.reload(oncall=ONCALL + REPORTS.replace("13:30", "13:10"))
        await daemon.after(minutes=11)
        assert len(reports(daemon)) == 1


async def test_a_task_is_done_by_somebody_and_overdue_when_nobody_does_it_again() -> None:
    async with running(oncall=ONCALL, probes=SLOW) as daemon:
        await daemon.after(minutes=1)
        tasks, now = daemon.running.live.tasks, daemon.clock.now
        with pytest.raises(TaskError, match="there is no task 'sweep'; there are error-rates"):
            await tasks.mark("sweep", by="dev-a", now=now())
        await tasks.mark("backup-completion", by="dev-a", note="fine", now=now())
        await daemon.restarts()
        tasks, later = daemon.running.live.tasks, now() + timedelta(hours=25)
        standing = {one.task.id: one for one in tasks.standings(now=later)}
        late = standing["backup-completion"]
        assert late.is_overdue
        assert late.words == "Verify backup completion: overdue for 1 h, last by dev-a on 23 Nov"
        assert not standing["security-audit"].is_overdue
        zone = daemon.running.live.reports.office.zone
        report = await daemon.running.live.reports.reporter.make(ReportKind.DAILY, later, zone=zone)
        assert late.words in as_text(report)
