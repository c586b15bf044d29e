"""`/messages` and `drill --preview`: every message in every form, and nobody is told anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from stewardmon.channels.render import SMS_LENGTH
from stewardmon.cli import stewardmon
from stewardmon.domain.notification import NotificationEvent
from tests.support.site import Site

ONCALL = """
channels: {phone: {kind: ntfy, url: "http://127.0.0.1:1/topic"}, paper: {kind: console}}
people:
  dev-a:
    {name: A, timezone: UTC, contacts: [{channel: phone, to: a}, {channel: paper, to: a}]}
policies: {matrix: {levels: [{level: 1, role: developer, after: 0m, page: [dev-a]}]}}
routes: [{policy: matrix}]
"""
PROBES = "probes: [{name: app, kind: tcp, address: '127.0.0.1:1'}]\n"
ALERTS = 'alerts: [{name: Down, condition: "error_rate > 5%"}]\n'


async def test_every_event_is_shown_in_every_form(site: Site) -> None:
    async with site.client() as client:
        page = (await client.get("/messages", headers={"accept": "text/html"})).text
    for event in NotificationEvent:
        assert f'/messages/{event.value}/mail"' in page
    places = [int(one) for one in re.findall(r"(\d+) of 160 places", page)]
    assert len(places) == len(NotificationEvent)
    assert max(places) <= SMS_LENGTH
    assert site.daemon.pager.sent == []


@pytest.mark.parametrize("event", list(NotificationEvent))
async def test_a_mail_is_shown_as_a_mail_program_shows_it(
    site: Site, event: NotificationEvent
) -> None:
    async with site.client() as client:
        answer = await client.get(f"/messages/{event.value}/mail")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script" not in policy
    drawn = event not in {NotificationEvent.DRILL, NotificationEvent.REPORT}
    assert ('src="data:image/png;base64,' in answer.text) is drawn


async def test_a_message_that_there_is_not_is_not_there(site: Site) -> None:
    async with site.client() as client:
        assert (await client.get("/messages/spam/mail")).status_code == 404


def test_a_drill_can_be_read_before_it_is_sent(tmp_path: Path) -> None:
    for name, text in (("probes", PROBES), ("alerts", ALERTS), ("oncall", ONCALL)):
        (tmp_path / f"{name}.yml").write_text(text)
    said = CliRunner().invoke(
        stewardmon, ["oncall", "drill", "--preview", "--rules", str(tmp_path), "--by", "me"]
    )
    assert said.exit_code == 0, said.output
    assert "dev-a over phone to a" in said.output
    assert "dev-a over paper to a" in said.output
    assert said.output.count("Nothing is broken.") >= 2
