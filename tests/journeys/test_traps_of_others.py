"""Where other systems failed, by name (what people told of them): each may not happen here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stewardmon.domain.incident import EventKind
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.errors import DeliveryError, StoreError
from stewardmon.stores.memory import MemoryStore
from tests.support.daemon import PROBES, QUICK, posting, running

BROKEN = DeliveryError("503", temporary=True)
REFUSED = DeliveryError("410", temporary=False)
KEPT = """
alerts:
  - {name: "Database Issues", condition: "db_connection_failed", duration: "10s", no_data: keep}
"""


async def test_gatus_lost_a_resolve_whose_send_failed() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        daemon.pager.fails = {"dev-a": BROKEN}
        await daemon.ends("Down")
        await daemon.restarts()
        daemon.pager.fails.clear()
        await daemon.after(minutes=2)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_gatus_counters_died_on_a_restart() -> None:
    """A hold that is half over goes on where it was."""
    async with running(oncall=QUICK) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=40)
        await daemon.restarts()
        await daemon.after(seconds=15)
        assert daemon.said == []
        await daemon.after(seconds=10)
        assert daemon.said == ["page dev-a"]


async def test_gatus_unknown_keys_disabled_alerting() -> None:
    async with posting() as daemon:
        wrong = await daemon.reload(oncall=QUICK.replace("repeat_last:", "repeat_lats:"))
        assert "repeat_lats" in wrong
        assert "repeat_last" in wrong
        await daemon.fires("Down")
        assert daemon.said == ["page dev-a"]


async def test_uptime_kuma_never_retried_a_failed_send() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": BROKEN, "a@x": BROKEN}
        await daemon.fires("Down")
        daemon.pager.fails.clear()
        await daemon.after(seconds=30)
        assert "page dev-a" in daemon.said


async def test_uptime_kuma_read_a_lock_in_its_own_database_as_a_site_that_is_down() -> None:
    class Locked(MemoryStore):
        locked = False

        async def commit(self, change: Any) -> None:
            if self.locked:
                raise StoreError("the state is locked by another program")
            await super().commit(change)

    store = Locked()
    async with running(store=store) as daemon:
        await daemon.after(seconds=5)
        store.locked = True
        await daemon.after(minutes=2)
        assert not [one for _, _, one in daemon.pager.sent if "Database" in one.title]
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        assert [one for _, _, one in daemon.pager.sent if "Database" in one.title]
        store.locked = False
        await daemon.after(seconds=10)
        assert daemon.running.live.ready() == (True, "ready")
        [outage] = [one for one in daemon.incidents if "Database" in one.title]
        assert await store.incident(outage.id) is not None


async def test_healthchecks_marked_a_flip_as_processed_before_it_was_sent() -> None:
    class DiesWhileSending(MemoryStore):
        """Hands a row out and is killed before anything of it is sent."""

        def __init__(self) -> None:
            super().__init__()
            self.claimed: list[Delivery] = []

        async def claim(self, **asked: Any) -> Sequence[Delivery]:
            self.claimed += await super().claim(**asked)
            return ()

    store = DiesWhileSending()
    async with posting(store=store) as daemon:
        await daemon.fires("Down")
        assert [row.state for row in store.claimed] == [DeliveryState.PENDING]
        await daemon.killed()
        store.__class__ = MemoryStore  # type: ignore[assignment]  # the next process sends
        await daemon.start()
        await daemon.after(seconds=2)
        assert daemon.said == ["page dev-a"]


async def test_cloudprober_took_what_failed_for_told_and_held_everything_up_meanwhile() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": REFUSED, "a@x": REFUSED}
        await daemon.fires("Down")
        kinds = [one.kind for one in await daemon.timeline()]
        assert EventKind.FAILED in kinds
        assert EventKind.SENT in kinds  # to the next level
        assert daemon.incidents[-1].told[0].person == "senior"


async def test_goalert_waited_out_an_empty_step_and_fell_silent_after_the_last() -> None:
    empty = QUICK.replace(
        "    contacts: [{channel: pager, to: dev-a}, {channel: mail, to: a@x}]\n",
        "    contacts: []\n",
    )
    async with posting(oncall=empty) as daemon:
        await daemon.fires("Down")
        assert daemon.said == ["escalated senior"]
        await daemon.after(minutes=25)
        assert daemon.said[-1] == "reminder cto"
        assert daemon.said.count("reminder cto") >= 4


async def test_grafana_oncall_never_resumed_and_paged_again_what_was_acknowledged() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.restarts()
        await daemon.after(minutes=3, seconds=5)
        assert daemon.paged == ["L1", "L2"]
        await daemon.acknowledge(by="senior")
        await daemon.restarts()
        await daemon.fires("Down")  # said once more by whoever watches
        await daemon.after(minutes=5)
        assert daemon.paged == ["L1", "L2"]


async def test_iris_closed_the_incident_when_its_plan_was_exhausted() -> None:
    once = QUICK.replace("    repeat_last: 3m\n", "")
    async with posting(oncall=once) as daemon:
        await daemon.fires("Down")
        await daemon.after(minutes=20)
        assert daemon.paged == ["L1", "L2", "L3", "L4"]
        assert daemon.incidents[-1].open
        await daemon.ends("Down")
        assert daemon.said[-4:] == [f"resolved {who}" for who in ("dev-a", "senior", "lead", "cto")]


async def test_alertmanager_held_alerts_in_memory_only_and_silences_a_quarter_of_an_hour() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.restarts()  # with nothing flushed, one second after it was posted
        await daemon.after(seconds=5)
        assert [one.state.value for one in daemon.incidents] == ["open"]
        assert len(daemon.running.live.external.alerts) == 1
        assert daemon.said == ["page dev-a"]


async def test_alertmanager_rounded_the_repeat_interval_up() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.after(minutes=18, seconds=2)
        times = [at for at, _, one in daemon.pager.sent if one.event.value == "reminder"]
        assert [(at - daemon.incidents[0].opened_at).total_seconds() // 60 for at in times] == [
            15, 18
        ]  # fmt: skip


async def test_prometheus_resolved_what_had_no_data_any_more_and_forgot_short_holds() -> None:
    async with running(oncall=QUICK, alerts=KEPT) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=15)
        assert daemon.said == ["page dev-a"]
        unwatched = PROBES.replace(
            "  - {name: database, kind: scripted, job: database, target: database}\n", ""
        )
        assert await daemon.reload(probes=unwatched) == ""
        await daemon.after(minutes=2)
        assert "resolved dev-a" not in daemon.said
