"""Somebody asks in the morning why nobody was paged, or who was."""

from __future__ import annotations

import pytest

from stewardmon.engine.why import why_incident, why_rule
from stewardmon.errors import StewardmonError
from tests.support.daemon import running


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
