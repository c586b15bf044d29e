"""One suite over every store: memory, SQLite, PostgreSQL."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stewardmon.domain.change import Change
from stewardmon.domain.incident import EventKind, IncidentState, Members
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Delivery, DeliveryState, NotificationEvent
from stewardmon.ports import Store
from stewardmon.stores import open_store
from stewardmon.stores.memory import MemoryStore
from stewardmon.stores.sql import SqlStore
from tests.contracts.store_values import T0, alert, at, delivery, event, incident

LEASE = timedelta(seconds=60)
Reopen = Callable[[], Awaitable[Store]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "postgres":
        return str(request.getfixturevalue("database"))
    return str(tmp_path / "state.db")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store, _ = open_store(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def reopen(url: str, store: Store) -> AsyncIterator[Reopen]:
    """What a restart sees: the same store for memory, a fresh one over the same data elsewhere."""
    opened: list[Store] = []

    async def again() -> Store:
        if url == "memory://":
            return store
        await store.close()
        fresh, _ = open_store(url)
        await fresh.open()
        opened.append(fresh)
        return fresh

    yield again
    for one in opened:
        await one.close()


async def claim(
    store: Store, now: datetime = T0, *, limit: int = 100, busy: frozenset[str] = frozenset()
) -> list[str]:
    found = await store.claim(now=now, lease=LEASE, limit=limit, busy=busy)
    return [row.dedup_key for row in found]


async def settle(store: Store, row: Delivery, **changed: object) -> None:
    settled = replace(row, **{"state": DeliveryState.SENT, "lease_until": None, **changed})  # type: ignore[arg-type]
    await store.commit(Change(deliveries=(settled,), replaces=frozenset({row.dedup_key})))


# State


async def test_a_new_store_is_empty(store: Store) -> None:
    saved = await store.load()
    assert (saved.alerts, saved.incidents, dict(saved.records)) == ((), (), {})
    assert await store.unsettled() == []


async def test_a_restart_finds_everything_as_it_was(store: Store, reopen: Reopen) -> None:
    odd = alert("Slow", value=math.inf, keep_firing_since=at(seconds=3), resolved_at=None)
    held = incident(alerts={odd.fingerprint: odd}, told=(), symptoms=("also slow",))
    change = Change(
        alerts=(odd, alert()),
        incidents=(held,),
        events=(event(), event(kind=EventKind.PAGED, who="dev-a")),
        deliveries=(delivery(),),
        records={("silence", "s1"): {"by": "dev-a", "matchers": ["a"], "until": 7}},
    )
    await store.commit(change)
    after = await reopen()
    saved = await after.load()
    assert set(saved.alerts) == {odd, alert()}
    assert saved.incidents == (held,)
    assert saved.records == {("silence", "s1"): {"by": "dev-a", "matchers": ["a"], "until": 7}}
    assert await after.events("i1") == list(change.events)
    assert await after.deliveries("i1") == [replace(delivery(), order=1)]


async def test_nan_and_infinity_come_back(store: Store, reopen: Reopen) -> None:
    names = {"a": math.nan, "b": math.inf, "c": -math.inf}
    await store.commit(
        Change(alerts=tuple(alert(name, value=value) for name, value in names.items()))
    )
    saved = await (await reopen()).load()
    values = {one.name: one.value for one in saved.alerts}
    assert math.isnan(values.pop("a"))
    assert values == {"b": math.inf, "c": -math.inf}


async def test_text_that_databases_refuse_is_kept_or_replaced(store: Store, reopen: Reopen) -> None:
    labels = Labels({"alertname": "nul\0", "odd": "\udcff", "quote": "'\"\\ $1 %s :x"})
    await store.commit(
        Change(
            alerts=(alert(labels=labels),),
            incidents=(incident(title="nul\0", alerts={}),),
            events=(event(detail="nul\0 \udcff ☂"),),
            records={("silence", "nul\0"): {"by": "\udcff"}},
        )
    )
    after = await reopen()
    assert (await after.load()).alerts[0].labels == labels
    [line] = await after.events("i1")
    assert line.detail.startswith("nul")
    assert line.detail.endswith("☂")


async def test_an_alert_is_replaced_by_fingerprint_and_forgotten(store: Store) -> None:
    await store.commit(Change(alerts=(alert(), alert("Slow"))))
    await store.commit(Change(alerts=(alert(value=9.0),), forgotten=(alert("Slow").fingerprint,)))
    assert (await store.load()).alerts == (alert(value=9.0),)


async def test_one_change_may_name_an_alert_twice_and_the_later_wins(store: Store) -> None:
    await store.commit(Change(alerts=(alert(value=1.0), alert(value=2.0))))
    assert (await store.load()).alerts == (alert(value=2.0),)


async def test_an_incidents_alerts_follow_what_joins_and_leaves(
    store: Store, reopen: Reopen
) -> None:
    first, second, third = alert("A"), alert("B"), alert("C")
    held = incident(alerts={one.fingerprint: one for one in (first, second)})
    await store.commit(Change(incidents=(held,)))
    moved = replace(
        held,
        alerts={
            third.fingerprint: third,
            second.fingerprint: replace(second, value=5.0),
        },
    )
    await store.commit(Change(incidents=(moved,)))
    after = await reopen()
    assert await after.incident("i1") == moved
    again = replace(moved, alerts={first.fingerprint: first})
    await after.commit(Change(incidents=(again,)))
    assert await after.incident("i1") == again


async def test_an_alert_written_with_its_incident_comes_back_with_it(
    store: Store, reopen: Reopen
) -> None:
    """Then it stands in one place: also where either one is written again, or the alert goes."""
    kept, gone = alert("Kept"), alert("Gone")
    both = {one.fingerprint: one for one in (kept, gone)}
    await store.commit(Change(alerts=(kept, gone), incidents=(incident(alerts=both),)))
    again = await reopen()
    (found,) = (await again.load()).incidents
    assert found.alerts == both
    left = replace(found, alerts={kept.fingerprint: kept})
    worse = replace(kept, value=kept.value + 1)
    change = Change(alerts=(worse,), forgotten=(gone.fingerprint,), incidents=(left,))
    await again.commit(change)
    (found,) = (await again.load()).incidents
    assert set(found.alerts) == {kept.fingerprint}


async def test_an_incident_that_gathers_alerts_is_as_it_last_was(
    store: Store, reopen: Reopen
) -> None:
    alerts = [alert(f"A{number}") for number in range(4)]
    one = incident(alerts=Members())
    for number, fresh in enumerate(alerts):
        one = replace(one, alerts=Members.grown(one.alerts, {fresh.fingerprint: fresh}))
        if number == 2:
            one = replace(one, severity="error", reached=2)
        await store.commit(Change(alerts=(fresh,), incidents=(one,)))
    store = await reopen()
    (found,) = (await store.load()).incidents
    assert found == one
    left = replace(found, alerts={alerts[1].fingerprint: alerts[1]})
    await store.commit(Change(incidents=(left,)))
    assert await store.incident(one.id) == left


async def test_what_a_failed_change_said_of_an_incident_is_written_with_the_next(
    store: Store,
) -> None:
    first, second = alert("A"), alert("B")
    one = incident(alerts=Members({first.fingerprint: first}))
    await store.commit(Change(alerts=(first,), incidents=(one,)))
    worse = replace(one, reached=3)
    with pytest.raises(Exception, match="object"):
        await store.commit(Change(incidents=(worse,), records={("odd", "1"): {"what": object()}}))
    both = Members.grown(worse.alerts, {second.fingerprint: second})
    await store.commit(Change(alerts=(second,), incidents=(replace(worse, alerts=both),)))
    assert await store.incident(one.id) == replace(worse, alerts=both)


async def test_an_alert_that_is_forgotten_stays_with_its_incident(
    store: Store, reopen: Reopen
) -> None:
    """So do those of a rule past its limit: nothing is known of them, and nobody resolved them."""
    one, other = alert("One"), alert("Other")
    held = incident(alerts={found.fingerprint: found for found in (one, other)})
    await store.commit(Change(alerts=(one, other), incidents=(held,)))
    await store.commit(Change(forgotten=(one.fingerprint,)))
    again = await reopen()
    assert (await again.load()).incidents == (held,)
    # It comes back as another: what the incident holds is as it was.
    await again.commit(Change(alerts=(replace(one, value=9.0),)))
    assert (await again.load()).incidents == (held,)


async def test_incidents_that_are_open_or_resolved_of_late_are_loaded(store: Store) -> None:
    def resolved(ident: str, **ago: float) -> None:
        when = at(**ago)
        held.append(incident(ident, state=IncidentState.RESOLVED, resolved_at=when, opened_at=when))

    held = [incident("open", opened_at=at(days=-400))]
    resolved("new", hours=-1)
    resolved("recent", hours=-24)
    resolved("old", hours=-26)
    await store.commit(Change(incidents=tuple(held)))
    assert {one.id for one in (await store.load()).incidents} == {"open", "new", "recent"}
    assert (await store.incident("old")) == held[3]
    assert await store.incident("never") is None


async def test_incidents_are_listed_newest_first(store: Store) -> None:
    listed = [incident(f"i{n}", opened_at=at(minutes=n)) for n in range(5)]
    listed[4] = replace(listed[4], state=IncidentState.RESOLVED, resolved_at=at(hours=1))
    await store.commit(Change(incidents=tuple(listed)))

    async def ids(**which: object) -> list[str]:
        return [one.id for one in await store.incidents(**which)]  # type: ignore[arg-type]

    assert await ids(limit=2) == ["i4", "i3"]
    assert await ids(limit=2, before=at(minutes=3)) == ["i2", "i1"]
    assert await ids(limit=9, only_open=True) == ["i3", "i2", "i1", "i0"]


async def test_the_timeline_is_in_order_and_can_be_cut_by_time(store: Store) -> None:
    lines = tuple(event(f"i{n % 2}", at=at(minutes=n), detail=str(n)) for n in range(6))
    await store.commit(Change(events=lines))
    assert [line.detail for line in await store.events("i1")] == ["1", "3", "5"]
    between = await store.events_between(at(minutes=1), at(minutes=4))
    assert [line.detail for line in between] == ["1", "2", "3"]


async def test_a_record_is_replaced_and_deleted(store: Store) -> None:
    await store.commit(Change(records={("silence", "a"): {"n": 1}, ("override", "a"): {"n": 2}}))
    await store.commit(Change(records={("silence", "a"): None, ("override", "a"): {"n": 3.5}}))
    assert (await store.load()).records == {("override", "a"): {"n": 3.5}}


async def test_a_change_that_cannot_be_written_leaves_nothing(store: Store) -> None:
    bad = {("silence", "s"): {"what": object()}}
    with pytest.raises(Exception, match="object"):
        await store.commit(Change(alerts=(alert(),), incidents=(incident(),), records=bad))
    saved = await store.load()
    assert (saved.alerts, saved.incidents, dict(saved.records)) == ((), (), {})
    await store.commit(Change(incidents=(incident(),)))
    assert await store.incident("i1") == incident()


async def test_what_was_resolved_long_ago_is_forgotten(store: Store) -> None:
    def change(ident: str, **since: float) -> Change:
        when = at(**since)
        one = incident(
            ident, state=IncidentState.RESOLVED, resolved_at=when, opened_at=when, alerts={}
        )
        sent = delivery(ident, incident=ident, due_at=when, state=DeliveryState.SENT)
        return Change(incidents=(one,), events=(event(ident, at=when),), deliveries=(sent,))

    assert isinstance(store, (MemoryStore, SqlStore))
    await store.commit(Change(incidents=(incident("open", opened_at=at(days=-900)),)))
    await store.commit(Change(deliveries=(delivery("waits", due_at=at(days=-900)),)))
    await store.commit(change("old", days=-401))
    await store.commit(change("new", days=-399))
    await store.prune(now=T0)
    assert {one.id for one in await store.incidents(limit=9)} == {"open", "new"}
    assert (await store.incident("open")) == incident("open", opened_at=at(days=-900))
    assert await store.events("old") == []
    assert await store.deliveries("old") == []
    assert len(await store.events("new")) == len(await store.deliveries("new")) == 1
    assert [row.dedup_key for row in await store.unsettled()] == ["waits"]


# Outbox


async def test_a_row_is_claimed_once_until_its_lease_ends(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    [row] = await store.claim(now=T0, lease=LEASE, limit=9)
    assert row == replace(delivery(), order=row.order, lease_until=T0 + LEASE)
    assert await claim(store, at(seconds=59)) == []
    assert await claim(store, at(seconds=60)) == ["k1"]


async def test_a_row_is_not_claimed_before_it_is_due(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(due_at=at(seconds=1)),)))
    assert await claim(store, T0) == []
    assert await claim(store, at(seconds=1)) == ["k1"]


async def test_an_enqueue_is_idempotent(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(), delivery(due_at=at(hours=1)))))
    [row] = await store.claim(now=T0, lease=LEASE, limit=9)
    await settle(store, row, receipt="ok")
    await store.commit(Change(deliveries=(delivery(),)))
    [row] = await store.deliveries("i1")
    assert (row.state, row.receipt) == (DeliveryState.SENT, "ok")
    assert await store.unsettled() == []


async def test_a_settled_row_keeps_its_order(store: Store) -> None:
    rows = tuple(delivery(f"k{n}", to=f"dev-{n}") for n in range(3))
    await store.commit(Change(deliveries=rows))
    first = (await store.claim(now=T0, lease=LEASE, limit=1))[0]
    await settle(store, first, settled_at=at(seconds=1), attempts=1, error="")
    assert [row.dedup_key for row in await store.deliveries("i1")] == ["k0", "k1", "k2"]
    assert [row.dedup_key for row in await store.unsettled()] == ["k1", "k2"]


async def test_a_failed_row_waits_for_its_next_attempt(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    [row] = await store.claim(now=T0, lease=LEASE, limit=9)
    await settle(
        store, row, state=DeliveryState.PENDING, attempts=1, due_at=at(seconds=30), error="500"
    )
    assert await claim(store, at(seconds=29)) == []
    [row] = await store.claim(now=at(seconds=30), lease=LEASE, limit=9)
    assert (row.attempts, row.error) == (1, "500")


async def test_what_is_oldest_is_claimed_first_up_to_the_limit(store: Store) -> None:
    due = {"k0": 3, "k1": 1, "k2": 2}
    rows = tuple(delivery(key, to=key, due_at=at(seconds=when)) for key, when in due.items())
    await store.commit(Change(deliveries=rows))
    assert await claim(store, at(minutes=1), limit=2) == ["k1", "k2"]
    assert await claim(store, at(minutes=1), limit=2) == ["k0"]


async def test_rows_to_one_address_leave_in_order(store: Store) -> None:
    rows = (
        delivery("page"),
        delivery("resolve", event=NotificationEvent.RESOLVED),
        delivery("other-person", to="dev-b"),
        delivery("other-channel", channel="mail"),
        delivery("other-incident", incident="i2"),
    )
    await store.commit(Change(deliveries=rows))
    first = await store.claim(now=T0, lease=LEASE, limit=9)
    assert sorted(row.dedup_key for row in first) == [
        "other-channel",
        "other-incident",
        "other-person",
        "page",
    ]
    page = next(row for row in first if row.dedup_key == "page")
    await settle(store, page, state=DeliveryState.PENDING, due_at=at(hours=1))
    assert await claim(store, at(seconds=1)) == []
    await settle(store, page)
    assert await claim(store, at(seconds=1)) == ["resolve"]


async def test_a_busy_channel_is_left_out(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery("a"), delivery("b", channel="mail"))))
    assert await claim(store, busy=frozenset({"pager"})) == ["b"]
    assert await claim(store, busy=frozenset({"pager", "mail"})) == []


async def test_an_acknowledgement_takes_unsent_pages_back(store: Store) -> None:
    told = delivery("told", event=NotificationEvent.ACKNOWLEDGED, to="dev-b")
    await store.commit(
        Change(deliveries=(delivery("a"), told, delivery("elsewhere", incident="i2")))
    )
    await store.commit(Change(cancels={"i1": "acknowledged by dev-a"}))
    assert sorted(await claim(store)) == ["elsewhere", "told"]
    [row] = [row for row in await store.deliveries("i1") if row.dedup_key == "a"]
    assert (row.state, row.error) == (DeliveryState.CANCELLED, "acknowledged by dev-a")


async def test_the_pages_of_the_change_that_cancels_are_not_cancelled(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery("old"),)))
    await store.commit(Change(deliveries=(delivery("new"),), cancels={"i1": "again"}))
    assert await claim(store) == ["new"]


async def test_a_page_in_flight_is_recorded_as_sent(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    [row] = await store.claim(now=T0, lease=LEASE, limit=9)
    await store.commit(Change(cancels={"i1": "acknowledged"}))
    assert [one.dedup_key for one in await store.unsettled()] == ["k1"]
    await settle(store, row, receipt="202")
    [row] = await store.deliveries("i1")
    assert (row.state, row.receipt, row.error) == (DeliveryState.SENT, "202", "")


async def test_a_page_in_flight_is_not_tried_again_after_the_acknowledgement(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    [row] = await store.claim(now=T0, lease=LEASE, limit=9)
    await store.commit(Change(cancels={"i1": "acknowledged"}))
    await settle(store, row, state=DeliveryState.PENDING, due_at=at(seconds=5), error="500")
    [row] = await store.deliveries("i1")
    assert (row.state, row.error) == (DeliveryState.CANCELLED, "acknowledged")
    assert await claim(store, at(hours=1)) == []


async def test_a_page_whose_sender_died_is_not_sent_after_the_acknowledgement(
    store: Store, reopen: Reopen
) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    assert await claim(store) == ["k1"]
    await store.commit(Change(cancels={"i1": "acknowledged"}))
    after = await reopen()
    assert await claim(after, at(hours=1)) == []
    [row] = await after.deliveries("i1")
    assert (row.state, row.error) == (DeliveryState.CANCELLED, "acknowledged")


async def test_two_senders_never_claim_the_same_row(store: Store) -> None:
    rows = tuple(delivery(f"k{n}", to=f"p{n}") for n in range(40))
    await store.commit(Change(deliveries=rows))
    batches = await asyncio.gather(*(claim(store, limit=7) for _ in range(8)))
    claimed = [key for batch in batches for key in batch]
    assert sorted(claimed) == sorted(row.dedup_key for row in rows)


async def test_commits_keep_the_order_of_the_calls(store: Store) -> None:
    await asyncio.gather(
        *(store.commit(Change(incidents=(incident(reached=n),))) for n in range(20))
    )
    held = await store.incident("i1")
    assert held is not None
    assert held.reached == 19


async def test_a_storm_is_one_change(store: Store, reopen: Reopen) -> None:
    alerts = tuple(alert(f"A{n}") for n in range(2_000))
    storm = incident(alerts={one.fingerprint: one for one in alerts})
    await store.commit(Change(alerts=alerts, incidents=(storm,)))
    await store.commit(Change(incidents=(replace(storm, reached=1),)))
    saved = await (await reopen()).load()
    assert len(saved.alerts) == 2_000
    assert saved.incidents == (replace(storm, reached=1),)


async def test_what_a_dead_sender_held_is_claimed_at_once(store: Store, reopen: Reopen) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    await claim(store)
    after = await reopen()
    assert await claim(after) == []
    await after.release()
    assert await claim(after) == [delivery().dedup_key]


async def test_what_a_dead_sender_held_and_was_taken_back_is_never_sent(store: Store) -> None:
    await store.commit(Change(deliveries=(delivery(),)))
    await claim(store)
    await store.commit(Change(cancels={"i1": "acknowledged by dev-a"}))
    await store.release()
    assert await store.unsettled() == []
    [row] = await store.deliveries("i1")
    assert (row.state, row.error) == (DeliveryState.CANCELLED, "acknowledged by dev-a")
