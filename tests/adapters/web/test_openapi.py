"""The description of the JSON interface is true: schemathesis tries it, both ways."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from starlette.routing import Route

from stewardmon.web import api, deploys, incidents, reports
from stewardmon.web.front import Front
from stewardmon.web.guard import Access, Guard
from stewardmon.web.openapi import ACTS, description
from stewardmon.web.tally import Tally
from tests.support.site import TOKEN, Site

# 10,000 requests take three minutes: STEWARDMON_EXAMPLES=400.
EXAMPLES = os.environ.get("STEWARDMON_EXAMPLES", "15")


async def test_every_address_is_described_and_every_description_has_an_address(site: Site) -> None:
    live = site.daemon.running.live
    guard = Guard(Access())
    front = Front(live=live, guard=guard, tally=Tally(live))
    routes: list[Route] = [
        *incidents.routes(live, guard),
        *api.routes(live, guard),
        *deploys.routes(live, guard),
        *(one for one in reports.routes(front) if one.path.startswith("/api/")),
    ]
    served = {
        (route.path.replace("{ident}", "{id}"), method.lower())
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    act = "/api/incidents/{id}/{act}"
    served = {pair for pair in served if pair[0] != act}
    served |= {(act.replace("{act}", name), "post") for name in ACTS}
    described = {
        (path, method)
        for path, item in description()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert served == described
    assert set(ACTS) == set(incidents.acts_of(live))


async def test_no_request_within_or_beyond_the_description_breaks_anything(
    site: Site, tmp_path: Path
) -> None:
    site.daemon.platform.database.goes_down()
    await site.incident()
    ran = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{site.url}/api/openapi.json",
        "--header",
        f"Authorization: Bearer {TOKEN}",
        "--checks=all",
        "--exclude-checks=ignored_auth",  # reading needs no token here, on purpose
        f"--max-examples={EXAMPLES}",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await ran.communicate()
    assert ran.returncode == 0, said.decode()[-6000:]
