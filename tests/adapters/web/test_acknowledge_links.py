"""The link of a page: what is signed acts, what is forged, old or another's does nothing."""

from __future__ import annotations

import httpx
import pytest

from stewardmon.channels.twilio import KEY, twiml
from stewardmon.domain.answers import By, resolve
from stewardmon.web.links import Links
from tests.support.site import Site
from tests.support.virtual import VirtualClock

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def _paged(site: Site) -> str:
    site.daemon.platform.database.goes_down()
    return await site.incident()


def _holder(site: Site, ident: str) -> str:
    return site.daemon.running.live.responder.incidents[ident].acknowledged_by


async def _post(site: Site, token: str, **form: str) -> httpx.Response:
    async with site.client() as client:
        query = "?via=voice" if form else ""
        return await client.post(f"/ack/{token}{query}", data=form)


async def test_what_is_not_signed_by_us_does_nothing(site: Site) -> None:
    ident = await _paged(site)
    good = site.links.token(ident, "dev-a")
    payload, stamp, mark = good.split(".")
    other, _, _ = site.links.token("20200101-0000000000", "dev-a").split(".")
    forged = Links("another secret", site.url, VirtualClock()).token(ident, "dev-a")
    cut = good[:-1]
    for token in (forged, f"{other}.{stamp}.{mark}", f"{payload}.{stamp}", cut, "x", "é", good * 2):
        for form in ({}, {"Digits": KEY}):
            answer = await _post(site, token, **form)
            assert answer.status_code in {403, 404}, token
            assert "Traceback" not in answer.text
    assert _holder(site, ident) == ""


async def test_a_link_of_another_incident_takes_only_that_one(site: Site) -> None:
    ident = await _paged(site)
    assert (await _post(site, site.links.token("20200101-0000000000", "dev-a"))).status_code == 404
    assert _holder(site, ident) == ""
    live = site.daemon.running.live
    by = By(who="senior", at=live.clock.now())
    await live.responder.answer(ident, lambda one: resolve(one, by), now=by.at)
    over = await _post(site, site.links.token(ident, "dev-a"))
    assert over.status_code == 409
    assert "was resolved by senior" in over.text


async def test_used_twice_it_changes_nothing_and_the_first_keeps_it(site: Site) -> None:
    ident = await _paged(site)
    for person in ("dev-a", "dev-a", "senior"):
        assert (await _post(site, site.links.token(ident, person))).status_code == 200
    assert _holder(site, ident) == "dev-a"
    timeline = await site.daemon.store.events(ident)
    assert [one.who for one in timeline if one.kind == "acknowledged"] == ["dev-a"]


@pytest.mark.parametrize("pressed", ["", "5", "44", "*"])
async def test_another_key_acknowledges_nothing(site: Site, pressed: str) -> None:
    ident = await _paged(site)
    token = site.links.token(ident, "dev-a")
    answer = await _post(site, token, Digits=pressed)
    assert answer.status_code == 200
    assert "The escalation goes on." in answer.text
    assert _holder(site, ident) == ""


async def test_the_key_of_a_call_acknowledges_and_the_call_says_so(site: Site) -> None:
    ident = await _paged(site)
    script = twiml("critical: no database.", ack_url=f"/ack/{site.links.token(ident, 'dev-a')}")
    action = script.partition('action="')[2].partition('"')[0]
    async with site.client(FORM) as client:
        answer = await client.post(action, content=f"Digits={KEY}&CallSid=CA1&From=%2B49170")
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.text == "<Response><Say>Acknowledged. It is yours now.</Say></Response>"
    assert _holder(site, ident) == "dev-a"
    second = await _post(site, site.links.token(ident, "senior"), Digits=KEY)
    assert "dev-a has it already" in second.text
