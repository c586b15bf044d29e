"""Every form of one notification says what a person needs, and nothing that could harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.channels import render
from stewardmon.channels.slack import render_slack
from stewardmon.channels.text import fits_gsm, septets
from stewardmon.channels.twilio import twiml
from stewardmon.channels.view import ago
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import NotificationEvent
from tests.support.notifications import ACK_URL, ALERT, INCIDENT_URL, NOW, PAGE, notification

EVENTS = list(NotificationEvent)
LAID_OUT = f"""\
CRITICAL: High Error Rate

7.3 % of requests fail

The app answers 503.

Value:        7.3 % (threshold > 5 %)
Course:       ▁▂▃▅▇
Since:        03:12 CET (02:12 UTC), 12m ago
Level:        1, On-call developer (Developer A)
Next:         Without an acknowledgement level 2 (Senior developer) is paged at 02:54:00 UTC.
Acknowledge:  {ACK_URL}
Incident:     {INCIDENT_URL}

What to check:
  - Check: application logs
  - Check: database connectivity
  Runbook: https://wiki.example.org/errors

Evidence:
  - also affected: checkout

Alerts:
  - High Error Rate {{job=app}} 7.3 % (threshold > 5 %)
"""


def test_a_page_says_all_that_is_needed_at_three_in_the_morning() -> None:
    words = render.text(PAGE, now=NOW)
    for wanted in (
        "CRITICAL: High Error Rate",
        "7.3 % (threshold > 5 %)",
        "03:12 CET (02:12 UTC), 12m ago",
        "▁▂▃▅▇",
        "Check: database connectivity",
        "https://wiki.example.org/errors",
        "also affected: checkout",
        ACK_URL,
        INCIDENT_URL,
        "1, On-call developer (Developer A)",
        "level 2 (Senior developer) is paged at 02:54:00 UTC",
    ):
        assert wanted in words
        assert wanted in render.html(PAGE, now=NOW).replace("&gt;", ">") or "(Dev" in wanted


def test_the_text_is_laid_out_in_sections() -> None:
    assert render.text(PAGE, now=NOW) == LAID_OUT


def test_a_resolve_says_how_long_it_lasted_and_who_had_it() -> None:
    words = render.text(notification(NotificationEvent.RESOLVED), now=NOW + timedelta(hours=1))
    assert words.startswith("Resolved after 12m: High Error Rate")
    assert "It lasted 12m; acknowledged by Developer B." in words
    assert "Check:" not in words
    assert ACK_URL not in words


def test_a_resolve_that_nobody_had_acknowledged_says_so() -> None:
    quiet = notification(NotificationEvent.RESOLVED, acknowledged_by="", actor="stewardmon")
    assert "nobody had acknowledged it.\n" in render.text(quiet, now=NOW)
    by_hand = replace(quiet, actor="Developer C", reason="false alarm")
    assert "Resolved by Developer C: false alarm" in render.text(by_hand, now=NOW)


def test_an_acknowledgement_says_by_whom_and_why() -> None:
    words = render.text(notification(NotificationEvent.ACKNOWLEDGED), now=NOW)
    assert "Acknowledged by Developer B: High Error Rate" in words
    assert "Developer B has acknowledged it after 12m: looking at the pool" in words


def test_a_drill_says_drill_in_every_form() -> None:
    drill = notification(NotificationEvent.DRILL)
    forms = (
        render.subject(drill, now=NOW),
        render.text(drill, now=NOW),
        render.html(drill, now=NOW),
        render.sms(drill, now=NOW),
        render.voice(drill, now=NOW),
        str(render_slack(drill, now=NOW)),
    )
    for form in forms:
        assert "drill" in form.lower()
        assert "nothing is broken" in form.lower()


@pytest.mark.parametrize(("late", "said"), [(59, False), (61, True)])
def test_a_late_message_says_how_late_it_is(late: int, said: bool) -> None:
    now = NOW + timedelta(seconds=late)
    words = render.text(PAGE, now=now)
    assert ("This message comes 1m1s late: it was due at 03:24 CET." in words) is said
    assert ("late" in words) is said


def test_times_of_another_day_name_the_day() -> None:
    old = replace(PAGE, since=NOW - timedelta(days=2), timezone="America/New_York")
    assert "Thu 19 Nov 21:24 EST (Fri 20 Nov 02:24 UTC), 2d ago" in render.text(old, now=NOW)


def test_an_unknown_time_zone_reads_as_utc() -> None:
    words = render.text(replace(PAGE, timezone="Mars/Olympus"), now=NOW)
    assert "02:12 UTC, 12m ago" in words


def test_many_alerts_are_counted_not_listed() -> None:
    many = replace(PAGE, alerts=(ALERT,) * 9, truncated_alerts=3)
    assert "… and 7 more" in render.text(many, now=NOW)


def test_a_short_message_is_160_places_with_the_link_whole() -> None:
    words = render.sms(PAGE, now=NOW)
    assert septets(words) <= 160
    assert words.startswith("CRITICAL: High Error Rate, since 03:12 CET: 7.3 %")
    assert words.endswith(f" {ACK_URL}")


def test_a_link_too_long_for_a_short_message_gives_way_to_the_incidents() -> None:
    long = replace(PAGE, ack_url=f"https://mon.example.org/ack/{'t' * 130}")
    assert render.sms(long, now=NOW).endswith(f" {INCIDENT_URL}")
    neither = replace(long, incident_url=f"https://mon.example.org/i/{'t' * 130}")
    assert "http" not in render.sms(neither, now=NOW)


@pytest.mark.parametrize("event", EVENTS)
@given(title=st.text(max_size=300), value=st.text(max_size=100))
def test_any_short_message_fits(event: NotificationEvent, title: str, value: str) -> None:
    words = render.sms(notification(event, title=title, value_text=value), now=NOW)
    assert septets(words) <= 160
    assert fits_gsm(words)


class Tags(HTMLParser):
    """Collects what a browser would see: tags, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} <!channel>\x07'


@pytest.mark.parametrize("event", EVENTS)
def test_hostile_text_stays_text_in_html(event: NotificationEvent) -> None:
    page = notification(
        event, title=HOSTILE, summary=HOSTILE, description=HOSTILE, role=HOSTILE, actor=HOSTILE,
        reason=HOSTILE, runbook=(HOSTILE,), runbook_url="javascript:alert(3)", evidence=(HOSTILE,),
        next_step=HOSTILE, value_text=HOSTILE, person_name=HOSTILE, sparkline=HOSTILE,
        alerts=(replace(ALERT, labels=Labels({"alertname": HOSTILE, "job": HOSTILE})),),
    )  # fmt: skip
    seen = Tags()
    seen.feed(render.html(page, now=NOW))
    assert not seen.tags & {"script", "img"}
    assert "onerror" not in seen.attributes
    assert seen.links <= {ACK_URL, INCIDENT_URL}
    assert "49" not in render.text(page, now=NOW)
    slack = str(render_slack(page, now=NOW))
    assert "<!channel>" not in "".join(
        one["text"]["text"]
        for one in render_slack(page, now=NOW)["blocks"]
        if one["type"] == "section"
    )
    assert "\x07" not in slack


def test_slack_stays_within_its_limits() -> None:
    huge = replace(
        PAGE, title="&" * 500, description="<" * 5000, runbook=("&" * 5000,) * 50,
        evidence=("<" * 5000,) * 50, alerts=(ALERT,) * 50,
    )  # fmt: skip
    blocks = render_slack(huge, now=NOW)["blocks"]
    assert len(blocks) <= 50
    for block in blocks:
        limit = 150 if block["type"] == "header" else 3000
        assert len(block.get("text", {}).get("text", "")) <= limit


def test_the_voice_reads_words_not_signs() -> None:
    spoken = render.voice(PAGE, now=NOW)
    assert "critical page for Developer A" in spoken
    assert "7.3 percent" in spoken
    assert "above 5 percent" in spoken
    assert not set("<>%_{}") & set(spoken)


def test_a_call_takes_a_key_and_posts_it() -> None:
    script = twiml("a < b", ack_url="https://mon.example.org/ack/x?y=1")
    assert 'action="https://mon.example.org/ack/x?y=1&amp;via=voice"' in script
    assert "a &lt; b Press 4 to acknowledge." in script
    assert "<Gather" not in twiml("over", ack_url="")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (0.4, "0s"), (59, "59s"), (61, "1m1s"), (3661, "1h1m"), (90_061, "1d1h")],
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert ago(timedelta(seconds=seconds)) == said
