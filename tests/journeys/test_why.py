"""Somebody asks in the morning why nobody was paged, or who was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.maintenance import Maintenance, Once
from stewardmon.domain.silence import Silence
from stewardmon.engine.why import why_incident, why_rule
from stewardmon.errors import DeliveryError, StewardmonError
from tests.support.daemon import ONCALL, PROBES, Daemon, running


async def test_a_rule_that_only_waited_says_so() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=30)
        at = daemon.clock.now()
        daemon.platform.database.comes_back()
        await daemon.after(minutes=3)
        lines = await why_rule(daemon.running.live, "Database Issues", at=at)
        assert any(line.startswith("samples:") and "down" in line for line in lines)
        assert any("was pending" in line for line in lines)
        assert not any(line.startswith("incident") for line in lines)


async def test_a_rule_that_read_well_stopped_there() -> None:
    async with running() as daemon:
        await daemon.after(minutes=2)
        lines = await why_rule(daemon.running.live, "Database Issues", at=daemon.clock.now())
        assert lines[-1] == "alert: none was pending or firing: it stopped at the rule"


async def test_a_page_is_told_from_sample_to_receipt_and_what_comes_next() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=65)
        live = daemon.running.live
        lines = await why_rule(live, "Database Issues", at=daemon.clock.now())
        told = "\n".join(lines)
        assert "was firing" in told
        assert "paged: level 1 (On-call developer): dev-a over pager" in told
        assert "delivery: page of level 1 to dev-a over pager: sent after 1 attempts" in told
        assert lines[-1].startswith("the next step is due at")
        await daemon.acknowledge(by="dev-a")
        assert (await why_incident(live, daemon.incidents[0]))[-1].endswith("while dev-a has it")


async def test_an_unknown_rule_is_a_sentence_that_names_the_known_ones() -> None:
    async with running() as daemon:
        with pytest.raises(StewardmonError, match="there is no rule 'x'; there are AI Service"):
            await why_rule(daemon.running.live, "x", at=daemon.clock.now())


# Where it can stop, from the samples to the delivery; each asked about now, and in the morning.
QUICKLY = """
alerts:
  - {name: "Database Issues", condition: "db_connection_failed", duration: "2s"}
"""
SYMPTOM = """
groups:
  - name: g
    rules:
      - {alert: Down, expr: 'probe_success{job="database"} == 0', labels: {severity: critical}}
      - {alert: Slow, expr: 'probe_success{job="app"} == 0', labels: {severity: critical}}
"""
EXPLAINED = (
    ONCALL
    + """
inhibit_rules:
  - {source_matchers: [alertname=Down], target_matchers: [alertname=Slow]}
"""
)
NO_ROUTE = ONCALL.replace("  - {policy: matrix}\n", "  - {match: {job: shop}, policy: matrix}\n")


async def told(daemon: Daemon, rule: str = "Database Issues", *, ago: float = 0) -> str:
    at = daemon.clock.now() - timedelta(seconds=ago)
    return "\n".join(await why_rule(daemon.running.live, rule, at=at))


async def test_it_stopped_at_the_samples() -> None:
    async with running(alerts=QUICKLY) as daemon:
        assert "had no data at" in await told(daemon)


async def test_it_stopped_at_the_hold() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=20)
        assert "hold: it must last for 0:01:00: it stopped there" in await told(daemon)


async def test_it_stopped_at_the_routes() -> None:
    async with running(alerts=QUICKLY, oncall=NO_ROUTE) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=90)
        for ago in (0, 80):
            lines = await told(daemon, ago=ago)
            assert "route: no route takes {" in lines
            assert "incident: none was open for it" in lines


async def test_it_stopped_at_the_cause() -> None:
    async with running(alerts=SYMPTOM, oncall=EXPLAINED) as daemon:
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        await daemon.after(seconds=90)
        assert "muted: inhibition Down: explained by Down (database)" in await told(daemon, "Slow")
        for ago in (0, 70):
            lines = await told(daemon, "Slow", ago=ago)
            assert "inhibited: shown as Slow app on incident" in lines
            assert "Down (database): it stopped there" in lines


async def test_it_stopped_at_a_silence() -> None:
    async with running(alerts=QUICKLY) as daemon:
        now = daemon.clock.now()
        known = await daemon.running.live.silences.put(
            Silence(
                id="",
                matchers=(Matcher("job", Op.EQUAL, "database"),),
                starts_at=now,
                ends_at=now + timedelta(minutes=1),
                updated_at=now,
                created_by="dev-a",
                comment="moving the disk",
            ),
            now=now,
        )
        daemon.platform.database.goes_down()
        await daemon.after(seconds=50)
        assert f"muted: silence {known.id}: moving the disk (by dev-a" in await told(daemon)
        daemon.platform.database.comes_back()
        await daemon.after(seconds=80)
        await daemon.restarts()
        lines = await told(daemon, ago=100)
        assert f"muted: silence {known.id}: moving the disk (by dev-a" in lines
        assert "incident: none was open for it" in lines


async def test_it_stopped_at_a_maintenance_window() -> None:
    async with running(alerts=QUICKLY) as daemon:
        now = daemon.clock.now()
        window = Maintenance(
            id="",
            name="deploy 1.4",
            matchers=(),
            span=Once(now, now + timedelta(hours=1)),
        )
        silences = daemon.running.live.silences
        known = await silences.open_window(window, now=now)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=50)
        assert "muted: maintenance deploy 1.4: until 2026-11-23 13:00:00 UTC" in await told(daemon)
        daemon.platform.database.comes_back()
        await daemon.after(seconds=5)
        await silences.close_window(known.id, now=daemon.clock.now())
        await daemon.after(seconds=80)
        await daemon.restarts()
        lines = await told(daemon, ago=100)
        assert "muted: maintenance deploy 1.4: until 2026-11-23 12:00:55 UTC" in lines


async def test_it_stopped_at_a_level_that_nobody_answers_for() -> None:
    mute = ONCALL.replace("[{channel: pager, to: dev-a}, {channel: mail, to: a@x}]", "[]")
    async with running(alerts=QUICKLY, oncall=mute) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=10)
        skipped = "level skipped: level 1 (On-call developer) has nobody who can be reached now"
        assert skipped in await told(daemon)


async def test_it_stopped_at_a_person_who_has_it_or_a_snooze() -> None:
    async with running(alerts=QUICKLY) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=10)
        await daemon.snooze(by="dev-a", minutes=5)
        assert "nobody is paged until the snooze ends at 12:05:10 UTC" in await told(daemon)
        await daemon.acknowledge(by="dev-a")
        assert (await told(daemon)).endswith("nobody is paged while dev-a has it")


async def test_it_stopped_at_the_delivery() -> None:
    async with running(alerts=QUICKLY) as daemon:
        refused = DeliveryError("the pager answered 410", temporary=False)
        daemon.pager.fails = {"dev-a": refused, "a@x": refused}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=10)
        failed = (
            "delivery: page of level 1 to dev-a over pager: failed after 1 attempts "
            "(the pager answered 410)"
        )
        assert failed in await told(daemon)


async def test_an_incident_grouped_by_something_else_is_found_all_the_same() -> None:
    by_job = ONCALL.replace("  - {policy: matrix}\n", "  - {policy: matrix, group_by: [job]}\n")
    async with running(alerts=QUICKLY, oncall=by_job, probes=PROBES) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=10)
        assert "delivery: page of level 1 to dev-a over pager: sent" in await told(daemon)
