"""Pages over a real socket: what they say, and what they must never do."""

from __future__ import annotations

import re

import pytest

from stewardmon.settings import Secret
from stewardmon.web.guard import COOKIE, Access
from tests.adapters.web.conftest import QUICK
from tests.support.site import TOKEN, Site, serving
from tests.support.waiting import until_async

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}
PAGES = ["/", "/rules", "/oncall", "/silences", "/history", "/reports", "/probes/app", "/sign-in"]


async def _signed(site: Site) -> dict[str, str]:
    """Sign in as a browser does; return the headers of the session."""
    async with site.client(BROWSER) as client:
        answer = await client.post("/sign-in", data={"name": "dev-a", "token": TOKEN})
        assert answer.status_code == 303, answer.text
        set_cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=strict" in set_cookie
    return {**BROWSER, "Cookie": set_cookie.partition(";")[0]}


def _csrf(text: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_whole_and_bears_its_headers(site: Site, path: str) -> None:
    async with site.client(BROWSER) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("</html>")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text)
    assert "http://" not in re.sub(r'xmlns="[^"]+"', "", answer.text)


async def test_the_status_page_says_what_is_wrong(site: Site) -> None:
    async with site.client(BROWSER) as client:

        async def well() -> bool:
            return "Everything is well." in (await client.get("/")).text

        await until_async(well, what="everything is well")
        site.daemon.platform.database.goes_down()
        ident = await site.incident()
        text = (await client.get("/")).text
        assert "nobody has answered yet" in text
        assert f"/incidents/{ident}" in text
        assert "down: refused" in text


async def test_foreign_text_is_never_markup(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    async with site.client(BROWSER) as client:
        text = (await client.get(f"/incidents/{ident}")).text
    assert "<b>at all</b>" not in text
    assert "&lt;b&gt;at all" in text


async def test_a_form_acknowledges(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    async with site.client(await _signed(site)) as client:
        page = (await client.get(f"/incidents/{ident}")).text
        answer = await client.post(f"/incidents/{ident}/ack", data={"csrf": _csrf(page)})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{ident}")
        after = (await client.get(f"/incidents/{ident}")).text
    assert "dev-a is on it" in after
    assert "It’s mine" not in after


@pytest.mark.parametrize("act", ["note", "snooze", "escalate", "silence", "resolve"])
async def test_every_other_form_works(site: Site, act: str) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    async with site.client(await _signed(site)) as client:
        csrf = _csrf((await client.get(f"/incidents/{ident}")).text)
        fields = {"csrf": csrf, "reason": "because", "for": "30m"}
        answer = await client.post(f"/incidents/{ident}/{act}", data=fields)
        assert answer.status_code == 303, answer.text
        silences = (await client.get("/api/silences")).json()["silences"]
    assert len(silences) == (1 if act == "silence" else 0)


async def test_a_form_opens_a_maintenance_window_and_closes_it(site: Site) -> None:
    async with site.client(await _signed(site)) as client:
        page = (await client.get("/silences")).text
        fields = {"csrf": _csrf(page), "name": "move", "reason": "new disks", "for": "30m"}
        for wrong, said in (
            ({"for": "soon"}, "soon"),
            ({"for": "2y"}, "a year at the most"),
            ({"starts_at": "teatime"}, "no time such as"),
            ({"matchers": "job=~("}, "job"),
            ({"starts_at": "2001-01-01T00:00Z"}, "end"),
        ):
            answer = await client.post("/maintenance", data={**fields, **wrong})
            assert answer.status_code == 409, (wrong, answer.text)
            assert said in answer.text
            assert 'value="move"' in answer.text  # what was typed is not lost
        answer = await client.post("/maintenance", data={**fields, "matchers": 'job="app"'})
        assert (answer.status_code, answer.headers["location"]) == (303, "/silences")
        page = (await client.get("/silences")).text
        assert "new disks" in page
        (one,) = (await client.get("/api/maintenance")).json()["maintenance"]
        assert (one["open"], one["by"], one["matchers"]) == (True, "dev-a", ['job="app"'])
        await client.post(f"/maintenance/{one['id']}/close", data={"csrf": _csrf(page)})
        (one,) = (await client.get("/api/maintenance")).json()["maintenance"] or [{"open": False}]
        assert not one["open"]


async def test_a_probe_page_goes_back_in_time_and_forth_again(site: Site) -> None:
    async with site.client(BROWSER) as client:
        now = (await client.get("/probes/app?span=week")).text
        assert 'rel="next"' not in now
        earlier = _way(now, "prev")
        assert "until=" in earlier
        past = (await client.get(f"/probes/app{earlier}")).text
        assert _way(past, "next") == "?span=week"
        further = (await client.get(f"/probes/app{_way(past, 'prev')}")).text
        assert "until=" in _way(further, "next")
        oldest = (await client.get("/probes/app?span=week&until=1990-01-01T00:00:00Z")).text
        assert 'rel="prev"' not in oldest


def _way(text: str, rel: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', text)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_forms_from_elsewhere_are_refused(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    signed = await _signed(site)
    async with site.client(signed) as client:
        csrf = _csrf((await client.get(f"/incidents/{ident}")).text)
    path = f"/incidents/{ident}/ack"
    for headers, fields in (
        (BROWSER, {"csrf": csrf}),  # nobody is signed in
        (signed, {}),
        (signed, {"csrf": "0" * 64}),
        ({**signed, "Sec-Fetch-Site": "cross-site"}, {"csrf": csrf}),
        ({**signed, "Sec-Fetch-Site": "same-site"}, {"csrf": csrf}),
    ):
        async with site.client(headers) as client:
            assert (await client.post(path, data=fields)).status_code == 403, (headers, fields)
    old = {name: value for name, value in signed.items() if name != "Sec-Fetch-Site"}
    async with site.client({**old, "Origin": "https://evil.example"}) as client:
        assert (await client.post(path, data={"csrf": csrf})).status_code == 403
    assert site.daemon.incidents[-1].acknowledged_by == ""


async def test_a_session_is_signed(site: Site) -> None:
    signed = await _signed(site)
    name, _, value = signed["Cookie"].partition("=")
    assert name == COOKIE
    for forged in (value[:-2] + "AA", "", "x.y.z", value.replace(".", "")):
        async with site.client({**signed, "Cookie": f"{COOKIE}={forged}"}) as client:
            assert "Sign out" not in (await client.get("/")).text


async def test_wrong_tokens_are_few(site: Site) -> None:
    async with site.client(BROWSER) as client:
        for _ in range(20):
            answer = await client.post("/sign-in", data={"name": "x", "token": "wrong"})
            assert answer.status_code == 403
        answer = await client.post("/sign-in", data={"name": "x", "token": TOKEN})
        assert answer.status_code == 429


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/rules", "/rules"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
async def test_signing_in_leads_nowhere_else(site: Site, asked: str, led: str) -> None:
    async with site.client(BROWSER) as client:
        fields = {"name": "dev-a", "token": TOKEN, "next": asked}
        answer = await client.post("/sign-in", data=fields)
    assert answer.headers["location"] == led


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/incidents/none", 404),
        ("GET", "/probes/none", 404),
        ("GET", "/probes/app?span=age", 400),
        ("GET", "/probes/app?until=teatime", 400),
        ("GET", "/oncall?weeks=1000000", 400),
        ("GET", "/history?days=-1", 400),
        ("GET", "/history?before=x", 400),
        ("GET", "/static/../guard.py", 404),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/ack/forged", 403),
        ("POST", "/ack/forged", 403),
        ("POST", "/", 405),
        ("GET", "/status", 404),
        ("GET", "/badge/app.svg", 404),
    ],
)
async def test_browsers_are_told_on_a_page(site: Site, method: str, path: str, status: int) -> None:
    async with site.client(BROWSER) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text


async def test_a_body_without_end_is_cut_off(site: Site) -> None:
    async with site.client(BROWSER) as client:
        answer = await client.post("/sign-in", content=b"a=" + b"x" * (1 << 20))
    assert answer.status_code == 413


async def test_the_link_of_a_page_shows_first_and_acts_when_told(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    path = f"/ack/{site.links.token(ident, 'dev-a')}"
    async with site.client(BROWSER) as client:
        shown = await client.get(path)
        assert "acknowledge as A" in shown.text
        assert site.daemon.incidents[-1].acknowledged_by == ""
        assert (await client.head(path)).status_code == 200
        acted = await client.post(path)
        assert "acknowledged it" in acted.text
    assert site.daemon.incidents[-1].acknowledged_by == "dev-a"


async def test_our_files_are_kept_for_ever_by_their_content(site: Site) -> None:
    async with site.client(BROWSER) as client:
        page = (await client.get("/")).text
        style = re.search(r'href="(/static/style\.css\?v=\w+)"', page)
        assert style is not None
        kept = await client.get(style[1])
        assert "immutable" in kept.headers["cache-control"]
        assert (await client.get("/static/style.css")).headers["cache-control"] == "no-cache"


async def test_with_a_viewers_token_nobody_else_looks() -> None:
    access = Access(token=Secret(TOKEN), viewer_token=Secret("look"))
    async with serving(access=access, alerts=QUICK) as site:
        async with site.client() as client:
            for path in ("/metrics", "/api/incidents", "/api/v2/alerts", "/events"):
                assert (await client.get(path)).status_code == 401, path
            for path in ("/healthz", "/readyz", "/sign-in"):
                assert (await client.get(path)).status_code == 200, path
        async with site.client(BROWSER) as client:
            answer = await client.get("/rules")
            assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/rules")
            fields = {"name": "guest", "token": "look"}
            session = (await client.post("/sign-in", data=fields)).headers["set-cookie"]
        async with site.client({**BROWSER, "Cookie": session.partition(";")[0]}) as client:
            page = await client.get("/silences")
            assert "guest (viewer)" in page.text
            assert "<textarea" not in page.text
            assert (await client.post("/silences", data={})).status_code == 403
        async with site.client({"Authorization": "Bearer look"}) as client:
            assert (await client.get("/metrics")).status_code == 200
            body = {"matchers": "a=b"}
            assert (await client.post("/api/silences", json=body)).status_code == 401


async def test_a_proxy_signs_people_in_only_from_its_address() -> None:
    header = {"X-Forwarded-User": "ada"}
    for trusted, name in ((("127.0.0.1",), "ada"), (("192.0.2.1",), "")):
        access = Access(proxy_header="X-Forwarded-User", proxy_from=trusted)
        async with serving(access=access, alerts=QUICK) as site:
            site.daemon.platform.database.goes_down()
            ident = await site.incident()
            async with site.client({**BROWSER, **header}) as client:
                page = (await client.get(f"/incidents/{ident}")).text
                assert ("It’s mine" in page) is bool(name)
                if name:
                    await client.post(f"/incidents/{ident}/ack", data={"csrf": _csrf(page)})
            assert site.daemon.incidents[-1].acknowledged_by == name


async def test_behind_a_path_links_and_cookies_keep_to_it() -> None:
    async with serving(public_url="https://ops.example/watch", alerts=QUICK) as site:
        async with site.client(BROWSER) as client:
            for path in ("/", "/watch/", "/watch"):
                page = await client.get(path)
                assert page.status_code == 200
                assert 'href="/watch/rules"' in page.text
            fields = {"name": "dev-a", "token": TOKEN}
            answer = await client.post("/watch/sign-in", data=fields)
        assert answer.headers["location"] == "/watch/"
        assert "Path=/watch" in answer.headers["set-cookie"]
        assert "Secure" in answer.headers["set-cookie"]


async def test_the_public_sees_no_reasons() -> None:
    access = Access(token=Secret(TOKEN), viewer_token=Secret("look"), public_status=True)
    async with serving(access=access, alerts=QUICK) as site:
        site.daemon.platform.database.goes_down()
        ident = await site.incident()
        async with site.client(signed=True) as client:
            for text in ("inside only", "public: We are looking into it"):
                await client.post(f"/api/incidents/{ident}/note", json={"reason": text})
        async with site.client(BROWSER) as client:
            page = (await client.get("/status")).text
            badge = await client.get("/badge/database.svg")
            assert (await client.get("/badge/none.svg")).status_code == 404
    assert "database: not available" in page
    assert "We are looking into it" in page
    for inner in ("inside only", "refused", "dev-a", ident):
        assert inner not in page
    assert badge.headers["content-type"] == "image/svg+xml"
    assert ">database<" in badge.text
    assert ">down, " in badge.text


async def test_open_pages_are_told_of_changes(site: Site) -> None:
    async with (
        site.client({"Accept": "text/event-stream"}) as client,
        client.stream("GET", "/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        site.daemon.platform.database.goes_down()
        async for line in lines:
            if line.startswith("data:"):
                assert line == "data: changed"
                break


async def test_what_changes_before_a_page_listens_is_told_at_once(site: Site) -> None:
    async with site.client({"Accept": "text/html"}) as client:
        page = (await client.get("/")).text
        found = re.search(r'data-mark="([^"]+)"', page)
        assert found is not None
        site.daemon.platform.database.goes_down()
        await site.incident()
        async with client.stream("GET", f"/events?shown={found[1]}") as stream:
            lines = stream.aiter_lines()
            assert [await anext(lines) for _ in range(3)] == ["retry: 2000", "", "data: changed"]
