"""Real Chromium walks the pages: at a desk, on a phone, and without JavaScript."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from stewardmon.domain.report import ReportKind
from stewardmon.settings import Secret
from stewardmon.web.guard import Access
from tests.support.browser import DESKTOP, PHONE
from tests.support.site import TOKEN, Site, serving

ALERTS = """
groups:
  - name: g
    rules:
    - {alert: "Database Issues", expr: "pg_up == 0", annotations: {summary: "no database"}}
    - {alert: "Slow", expr: "quantile_over_time(0.95, probe_duration_seconds[2m]) > 5", for: 5m}
"""
PAGES = (
    "/",
    "/rules",
    "/oncall",
    "/silences",
    "/history",
    "/reports",
    "/messages",
    "/probes/app",
    "/status",
    "/sign-in",
)


@dataclass
class Heard:
    """What a page complained of: errors of scripts, of the console, of the content policy."""

    complaints: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Hear everything that page says from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda one: self._failed(one.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _failed(self, url: str) -> None:
        if "/events?shown=" not in url:  # cut off when one leaves a page: that is how it ends
            self.complaints.append(f"{url} failed")


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A daemon whose database can go down."""
    access = Access(token=Secret(TOKEN), public_status=True)
    async with serving(alerts=ALERTS, access=access) as served:
        yield served


async def _sign_in(page: Page, site: Site) -> None:
    await page.goto(f"{site.url}/sign-in")
    await page.get_by_label("Who you are").fill("dev-a")
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_an_outage_appears_by_itself_and_is_told_to_be_over(
    site: Site, desktop: Page
) -> None:
    heard = Heard()
    heard.listen(desktop)
    await desktop.goto(site.url)
    headline = desktop.get_by_role("heading", level=1)
    await expect(headline).to_have_text("Everything is well.", timeout=15_000)
    site.daemon.platform.database.goes_down()
    await expect(headline).to_contain_text("nobody has answered yet", timeout=15_000)
    await expect(desktop.get_by_text("down: refused")).to_be_visible()
    site.daemon.platform.database.comes_back()
    await expect(headline).to_have_text("Everything is well.", timeout=15_000)
    await expect(desktop.get_by_role("link", name="Database Issues (database)")).to_be_visible()
    assert heard.complaints == []


async def test_on_a_phone_one_tap_says_mine(site: Site, phone: Page) -> None:
    heard = Heard()
    heard.listen(phone)
    await _sign_in(phone, site)
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    await phone.goto(f"{site.url}/incidents/{ident}")
    mine = phone.get_by_role("button", name="It’s mine: acknowledge")
    await expect(mine).to_be_in_viewport()
    box = await mine.bounding_box()
    assert box is not None
    assert box["height"] >= 48
    assert box["y"] > PHONE["height"] / 2  # where a thumb is
    await mine.click()
    await expect(phone.get_by_text("dev-a is on it")).to_be_visible()
    await expect(mine).to_have_count(0)
    assert site.daemon.incidents[-1].acknowledged_by == "dev-a"
    more = phone.locator("summary")
    box = await more.bounding_box()
    assert box is not None
    assert box["y"] > PHONE["height"] / 2
    await more.click()
    for act in ("Add the note", "Snooze", "Silence", "Give it back", "Resolve by hand"):
        button = phone.get_by_role("button", name=act, exact=True)
        await button.scroll_into_view_if_needed()
        await expect(button).to_be_in_viewport()
    await phone.get_by_role("button", name="Snooze", exact=True).click()
    await expect(phone.get_by_text("snoozed").first).to_be_visible()
    assert heard.complaints == []


async def test_the_link_of_a_page_acknowledges_without_signing_in(site: Site, phone: Page) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    await phone.goto(f"{site.url}/ack/{site.links.token(ident, 'dev-a')}")
    await phone.get_by_role("button", name="It’s mine").click()
    await expect(phone.get_by_text("dev-a acknowledged it")).to_be_visible()
    assert site.daemon.incidents[-1].acknowledged_by == "dev-a"


async def test_what_is_silenced_shows_and_ends(site: Site, desktop: Page) -> None:
    heard = Heard()
    heard.listen(desktop)
    await _sign_in(desktop, site)
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    await desktop.goto(f"{site.url}/incidents/{ident}")
    await desktop.get_by_text("More: snooze").click()
    silence = desktop.locator("form[action$='/silence']")
    await silence.get_by_label("Why").fill("known, a deploy")
    await silence.get_by_role("button", name="Silence").click()
    await expect(desktop.get_by_text("muted: silence").first).to_be_visible(timeout=15_000)
    await desktop.get_by_role("link", name="Silences").click()
    await expect(desktop.get_by_text("known, a deploy")).to_be_visible()
    await desktop.get_by_role("button", name="End it now").click()
    await expect(desktop.get_by_text("Nothing is silenced.")).to_be_visible()
    assert heard.complaints == []


async def test_what_is_being_typed_outlives_an_update(site: Site, desktop: Page) -> None:
    await _sign_in(desktop, site)
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    await desktop.goto(f"{site.url}/incidents/{ident}")
    await desktop.get_by_text("More: snooze").click()
    await desktop.get_by_label("Note for the others").fill("half a sen")
    await site.daemon.acknowledge(by="senior")
    await expect(desktop.get_by_text("senior is on it")).to_be_visible(timeout=15_000)
    await expect(desktop.get_by_label("Note for the others")).to_have_value("half a sen")


async def test_history_is_read_by_keyboard_alone(site: Site, desktop: Page) -> None:
    site.daemon.platform.database.goes_down()
    await site.incident()
    await site.daemon.resolve(by="dev-a")
    await desktop.goto(f"{site.url}/history")
    link = desktop.get_by_role("link", name="Database Issues (database)")
    for _ in range(40):
        await desktop.keyboard.press("Tab")
        if await link.evaluate("one => one === document.activeElement"):
            break
    await desktop.keyboard.press("Enter")
    await expect(desktop.get_by_role("heading", name="Timeline")).to_be_visible()
    await expect(desktop.get_by_text("resolved by dev-a").first).to_be_visible()


async def test_a_link_from_a_mail_finds_one_signed_in(site: Site, desktop: Page) -> None:
    await _sign_in(desktop, site)

    async def mail(route: Any) -> None:
        body = f'<a href="{site.url}/rules">the incident</a>'
        await route.fulfill(body=body, content_type="text/html")

    await desktop.route("http://mail.test/**", mail)
    await desktop.goto("http://mail.test/inbox")
    await desktop.get_by_role("link", name="the incident").click()
    await expect(desktop.get_by_role("heading", name="Rules")).to_be_visible()
    await expect(desktop.get_by_role("button", name="Sign out")).to_be_visible()


@asynccontextmanager
async def _plain(browser: Browser, viewport: ViewportSize) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False, viewport=viewport)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def test_everything_works_without_javascript(site: Site, desktop: Page) -> None:
    assert desktop.context.browser is not None
    async with _plain(desktop.context.browser, PHONE) as page:
        await _sign_in(page, site)
        site.daemon.platform.database.goes_down()
        ident = await site.incident()
        await page.goto(site.url)
        await page.get_by_role("link", name="Database Issues (database)").click()
        await page.get_by_role("button", name="It’s mine: acknowledge").click()
        assert page.url == f"{site.url}/incidents/{ident}"
        await expect(page.get_by_text("dev-a is on it")).to_be_visible()
        await page.get_by_text("More: snooze").click()
        await page.get_by_label("Note for the others").fill("written without a script")
        await page.get_by_role("button", name="Add the note").click()
        await expect(page.get_by_text("written without a script")).to_be_visible()


# In the dark only the colours are others.
SCHEMES: Final[Mapping[Any, Mapping[str, Any]]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast"]},
}


async def _report(site: Site) -> str:
    """Make the day's report and return its address."""
    live = site.daemon.running.live
    reports = live.reports
    made = await reports.reporter.make(ReportKind.DAILY, live.clock.now(), zone=reports.office.zone)
    reports.keep(made)
    return f"/reports/{made.id}"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_no_fault_nothing_is_too_wide_and_no_page_complains(
    site: Site, desktop: Page, viewport: ViewportSize
) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    heard = Heard()
    heard.listen(desktop)
    await _sign_in(desktop, site)
    await desktop.set_viewport_size(viewport)
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    link = f"/ack/{site.links.token(ident, 'dev-a')}"
    for path in (*PAGES, f"/incidents/{ident}", link, await _report(site)):
        await desktop.goto(site.url + path)
        await _is_sound(desktop, axe, path, viewport)
    assert heard.complaints == []
    await desktop.goto(f"{site.url}/nothing")
    await _is_sound(desktop, axe, "/nothing", viewport)


async def _is_sound(page: Page, axe: str, path: str, viewport: ViewportSize) -> None:
    await page.evaluate(axe)
    for scheme, rules in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme)
        await page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")
        options = {"resultTypes": ["violations"], **rules}
        found = (await page.evaluate("options => axe.run(options)", options))["violations"]
        faults = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        assert faults == [], (path, scheme)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= viewport["width"], path
    for link in await page.locator("nav[aria-label=Pages] a").all():
        box = await link.bounding_box()
        assert box is not None
        assert box["x"] >= 0, path
        assert box["x"] + box["width"] <= viewport["width"], path
