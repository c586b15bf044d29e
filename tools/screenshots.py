"""Screenshots of every page, light and dark, on a desk and on a phone: `make screenshots`.

A real daemon with scripted targets and a quarter of invented history is served on loopback and
looked at with Debian's Chromium. The pictures go to screenshots/PAGE-SCHEME-SCREEN.png; what README
shows goes to docs/, as much as fits on the screen.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, ViewportSize, async_playwright

from stewardmon.clock import milliseconds
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, EventKind, Incident, IncidentState
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.policy import Policy
from stewardmon.domain.report import ReportKind
from stewardmon.settings import Secret
from stewardmon.stores.memory import MemoryHistory, MemoryStore
from stewardmon.web.guard import Access
from tests.support.daemon import ONCALL
from tests.support.site import TOKEN, Site, serving
from tests.support.virtual import VirtualClock

FOLDER: Final = Path("screenshots")
#: What README shows, by page, scheme and screen.
SHOWN: Final[Mapping[tuple[str, str, str], Path]] = {
    ("status", "dark", "phone"): Path("docs/status-phone.png"),
    ("incident", "light", "desktop"): Path("docs/incident-desktop.png"),
}
SCREENS: Final[Mapping[str, tuple[ViewportSize, float]]] = {
    "desktop": (ViewportSize(width=1280, height=900), 1),
    "phone": (ViewportSize(width=390, height=844), 2),
}
ALERTS: Final = """
groups:
  - name: guide
    rules:
    - alert: Database Issues
      expr: pg_up == 0
      for: 3s
      annotations: {summary: "The database cannot be reached", runbook: database}
    - alert: High Error Rate
      expr: 1 - avg by (job) (avg_over_time(probe_success[5m])) > 0.05
      for: 5m
    - alert: Slow Response Time
      expr: quantile_over_time(0.95, probe_duration_seconds{job="app"}[2m]) > 5
      for: 2m
"""
PHASES: Final = {"resolve": 0.05, "connect": 0.1, "tls": 0.15, "processing": 0.6, "transfer": 0.1}
SPEEDS: Final = {"app": 1.0, "database": 0.2, "openai": 4.0}


async def main(only: frozenset[str]) -> None:
    """Draw the pages that are named, or all."""
    clock = VirtualClock(datetime.now(UTC) - timedelta(seconds=asyncio.get_running_loop().time()))
    history, store = MemoryHistory(keep=timedelta(days=400)), MemoryStore()
    await _invent_samples(history, clock.now())
    await _invent_incidents(store, clock.now())
    world: Any = {"history": history, "store": store, "clock": clock}
    access = Access(token=Secret(TOKEN), public_status=True)
    async with (
        serving(access=access, alerts=ALERTS, oncall=_oncall(), **world) as site,
        async_playwright() as playwright,
    ):
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            await _walk(site, browser, only)
        finally:
            await browser.close()


async def _walk(site: Site, browser: Browser, only: frozenset[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    live = site.daemon.running.live
    await live.deploys.mark("v2.4.1", by="dev-a", note="", now=live.clock.now())
    report = await live.reports.reporter.make(
        ReportKind.WEEKLY, live.clock.now(), zone=live.reports.office.zone
    )
    live.reports.keep(report)
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    await site.daemon.note(by="dev-a", text="public: We know, and are on it.")
    await asyncio.sleep(12)  # so that the chart shows the fall
    pages = {
        "status": "/",
        "incident": f"/incidents/{ident}",
        "acknowledge": f"/ack/{site.links.token(ident, 'dev-a')}",
        "probe": "/probes/app?span=day",
        "rules": "/rules",
        "oncall": "/oncall",
        "silences": "/silences",
        "history": "/history",
        "reports": "/reports",
        "report": f"/reports/{report.id}",
        "messages": "/messages",
        "mail": "/messages/page/mail",
        "public": "/status",
        "sign-in": "/sign-in",
    }
    for scheme in ("light", "dark"):
        for screen, (viewport, scale) in SCREENS.items():
            look: Any = {"color_scheme": scheme, "device_scale_factor": scale}
            page = await browser.new_page(viewport=viewport, **look)
            await page.goto(f"{site.url}/sign-in")
            await page.get_by_label("Who you are").fill("dev-a")
            await page.get_by_label("Token").fill(TOKEN)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("button", name="Sign out").wait_for()
            for name, address in pages.items():
                if not only or name in only:
                    await page.goto(site.url + address)
                    path = FOLDER / f"{name}-{scheme}-{screen}.png"
                    await page.screenshot(path=path, full_page=True)
                    if shown := SHOWN.get((name, scheme, screen)):
                        shown.parent.mkdir(exist_ok=True)
                        await page.screenshot(path=shown, scale="css")
            await page.close()


async def _invent_samples(history: MemoryHistory, now: datetime) -> None:
    """Write a quarter in which each target had one bad day and two poor ones."""
    chance = random.Random(3)
    for job, speed in SPEEDS.items():
        own = {"job": job, "instance": job, "probe": job}
        up = Labels({NAME: "pg_up", **own})
        points: dict[Labels, list[tuple[int, float]]] = {}
        at, end = now - timedelta(days=88), now
        while at < end:
            back = (end - at).days
            bad = chance.random() < {12: 0.03, 40: 0.006, 63: 0.15}.get(back, 0.0)
            wave = 0.12 + 0.05 * math.sin(at.timestamp() / 3600) + chance.random() * 0.06
            took = wave * speed
            found = {
                Labels({NAME: "probe_success", **own}): 0.0 if bad else 1.0,
                Labels({NAME: "probe_duration_seconds", **own}): math.inf if bad else took,
                Labels(
                    {NAME: "stewardmon_probe_reason", **own, "reason": "timeout" if bad else "ok"}
                ): 1.0,
            }
            for phase, share in PHASES.items() if job == "app" and not bad else ():
                labels = Labels({NAME: "probe_http_duration_seconds", **own, "phase": phase})
                found[labels] = took * share
            if job == "database" and back < 1:
                found[up] = 1.0
            for labels, value in found.items():
                points.setdefault(labels, []).append((milliseconds(at), value))
            at += timedelta(minutes=5) if back >= 2 else timedelta(seconds=15)
        await history.write(list(points.items()))


async def _invent_incidents(store: MemoryStore, now: datetime) -> None:
    chance = random.Random(5)
    incidents, events = [], []
    for number in range(14):
        opened = now - timedelta(hours=chance.uniform(20, 28 * 24))
        name = chance.choice(("Database Issues", "Slow Response Time", "AI Service Down"))
        ident = f"invented-{number}"
        incidents.append(
            Incident(
                id=ident,
                group_key=ident,
                group=Labels({"alertname": name}),
                title=f"{name} (app)",
                severity=chance.choice(("critical", "warning")),
                state=IncidentState.RESOLVED,
                opened_at=opened,
                base_at=opened,
                policy=Policy(name="matrix", levels=()),
                acknowledged_at=opened + timedelta(minutes=chance.uniform(1, 20)),
                acknowledged_by="dev-a",
                resolved_at=opened + timedelta(minutes=chance.uniform(21, 90)),
                resolved_by="stewardmon",
            )
        )
        for person in ("dev-a", "senior")[: chance.randint(1, 2)]:
            detail = f"page to {person} over pager, attempt 1: delivered"
            events.append(Event(incident=ident, at=opened, kind=EventKind.SENT, detail=detail))
    await store.commit(Change(incidents=tuple(incidents), events=tuple(events)))


def _oncall() -> str:
    rotation = (
        "rotations:\n  primary: {people: [dev-a, senior], timezone: Europe/Berlin, "
        'handover: "Mon 09:00", every: 1w, start: 2026-01-05}\npolicies:'
    )
    names = {"A": "Ada Weber", "S": "Sven Olsen", "L": "Lea Marin", "C": "Chris Tan"}
    text = ONCALL.replace("policies:", rotation, 1).replace("page: [dev-a]", "page: [primary]")
    for (letter, name), end in product(names.items(), (",", "\n")):
        text = text.replace(f"name: {letter}{end}", f"name: {name}{end}")
    return text


if __name__ == "__main__":
    asyncio.run(main(frozenset(sys.argv[1:])))
