"""A page names the cause although that is asked every four minutes; one odd answer is no outage."""

from __future__ import annotations

from datetime import datetime, timedelta

from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.daemon import Daemon, running

PROBES = """
defaults: {interval: 15s, timeout: 5s}
probes:
  - {name: openai, kind: scripted, job: openai, target: openai, interval: 60s}
  - {name: chat, kind: scripted, job: chat, target: chat, interval: 4m, depends_on: [openai]}
  - {name: agent, kind: scripted, job: agent, target: agent, interval: 4m, depends_on: [chat]}
"""
ALERTS = """
groups:
  - name: g
    rules:
      - {alert: "AI Misconfigured", expr: 'probe_success{job="chat"} == 0', for: 1m}
      - {alert: "AI Down", expr: 'probe_success{job="openai"} == 0', for: 1m}
      - {alert: "Agent Broken", expr: 'probe_success{job="agent"} == 0', for: 1m}
"""
WRONG = Outcome(state=State.DOWN, reason=Reason.REQUEST)


def asked(daemon: Daemon, name: str) -> datetime:
    return daemon.running.live.observations.latest[name].at


async def until_asked(daemon: Daemon, name: str) -> None:
    """Wait until a probe has just been asked."""
    before = asked(daemon, name)
    while asked(daemon, name) == before:
        await daemon.after(seconds=1)


async def test_the_cause_is_asked_at_once_and_paged_alone() -> None:
    async with running(probes=PROBES, alerts=ALERTS) as daemon:
        await daemon.after(minutes=5)
        await until_asked(daemon, "chat")
        daemon.platform.chat.outcome = daemon.platform.agent.outcome = WRONG
        await until_asked(daemon, "agent")
        broke = asked(daemon, "agent")
        assert asked(daemon, "chat") - broke < timedelta(seconds=2)
        await daemon.after(minutes=3)
        assert [one.title for one in daemon.incidents] == ["AI Misconfigured (chat)"]
        assert daemon.paged == ["L1"]
        (incident,) = daemon.incidents
        assert incident.opened_at - broke < timedelta(seconds=65)
        assert incident.symptoms == ("Agent Broken agent",)


async def test_one_failed_ask_a_minute_before_the_next_pages_nobody() -> None:
    async with running(probes=PROBES, alerts=ALERTS) as daemon:
        await daemon.after(minutes=5)
        for _ in range(3):
            await until_asked(daemon, "openai")
            daemon.platform.openai.goes_down()
            await until_asked(daemon, "openai")
            daemon.platform.openai.comes_back()
            broke = asked(daemon, "openai")
            await until_asked(daemon, "openai")
            assert asked(daemon, "openai") - broke < timedelta(seconds=22)
        await daemon.after(minutes=5)
        assert daemon.paged == []


async def test_an_outage_of_what_is_asked_once_a_minute_pages_after_its_hold() -> None:
    async with running(probes=PROBES, alerts=ALERTS) as daemon:
        await daemon.after(minutes=5)
        daemon.platform.openai.goes_down()
        await until_asked(daemon, "openai")
        broke = asked(daemon, "openai")
        await daemon.after(seconds=65)
        (incident,) = daemon.incidents
        assert incident.opened_at - broke < timedelta(seconds=62)
