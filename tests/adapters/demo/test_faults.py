"""Every fault, against the real servers: invisible before, visible while on, gone after."""

from __future__ import annotations

import pytest

from stewardmon.demo.catalogue import SPECS, Fault, list_faults
from stewardmon.errors import UsageError
from tests.adapters.demo.symptoms_app import APP_SYMPTOMS
from tests.adapters.demo.symptoms_database import DATABASE_SYMPTOMS
from tests.adapters.demo.symptoms_vendors import VENDOR_SYMPTOMS
from tests.adapters.demo.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
SYMPTOMS = {**APP_SYMPTOMS, **DATABASE_SYMPTOMS, **VENDOR_SYMPTOMS}


@pytest.mark.parametrize("fault", SYMPTOMS, ids=str)
async def test_a_fault_shows_only_while_it_is_on(world: World, fault: Fault) -> None:
    symptom, faults = SYMPTOMS[fault], world.platform.faults
    assert not await symptom.visible(world), "visible before it was switched on"
    await faults.on(fault, **symptom.numbers)
    assert await symptom.visible(world), "does nothing"
    assert list(faults.active()) == [fault]
    await faults.off(fault)
    assert not await symptom.visible(world), "still visible after it was switched off"


async def test_every_fault_has_a_symptom_and_a_description() -> None:
    assert set(SYMPTOMS) == set(Fault) == set(SPECS)
    assert [spec.name for spec in list_faults()] == list(SPECS)
    assert all(spec.about for spec in list_faults())


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("app-dwon", {}, "did you mean app-down?"),
        ("app-down", {"share": 1}, "its numbers are: none"),
        ("app-slow", {"seconds": -1}, "seconds must be a number of zero or more"),
        ("app-error-share", {"share": 1.5}, "share is a fraction between 0 and 1"),
    ],
)
async def test_a_mistake_is_refused_in_a_sentence(
    world: World, name: str, numbers: dict[str, float], message: str
) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        await world.platform.faults.on(name, **numbers)
    assert world.platform.faults.active() == {}


async def test_a_fault_that_cannot_be_reached_says_what_stands_in_its_way(world: World) -> None:
    faults = world.platform.faults
    await faults.on(Fault.DATABASE_MISSING_INDEX)
    await faults.on(Fault.DATABASE_DOWN)
    with pytest.raises(UsageError, match="while database-down is on"):
        await faults.off(Fault.DATABASE_MISSING_INDEX)
    await faults.clear()
    assert await world.connecting() == ""


async def test_a_share_is_spread_evenly(world: World) -> None:
    faults = world.platform.faults
    await faults.on(Fault.APP_ERROR_SHARE, share=0.25)
    struck = [faults.strikes(Fault.APP_ERROR_SHARE) for _ in range(8)]
    assert struck == [False, False, False, True] * 2
