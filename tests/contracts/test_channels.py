"""What every channel promises, held against a real receiver of every kind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from stewardmon.channels import KINDS
from stewardmon.domain.notification import NotificationEvent
from stewardmon.errors import DeliveryError
from tests.contracts.channel_rigs import RIGS, SECRET, Fault, faults
from tests.support.notifications import ACK_URL, INCIDENT_URL, notification

# Apprise's own use of a module that Python is to lose.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

TEMPORARY = {
    Fault.FAILS: True,
    Fault.BUSY: True,
    Fault.REFUSES: False,
    Fault.HANGS: True,
    Fault.CLOSES: True,
    Fault.REDIRECTS: False,
}
# Their receipt stands in the body: without it nobody knows whether the message was taken.
READS_THE_ANSWER = {"slack bot", "sms", "voice", "telegram"}
EACH_FAULT = [
    pytest.param(kind, fault, id=f"{kind}-{fault.name}")
    for kind in RIGS
    for fault in Fault
    if fault in faults(kind)
]
ASKING = (
    NotificationEvent.PAGE,
    NotificationEvent.REMINDER,
    NotificationEvent.ESCALATED,
    NotificationEvent.DRILL,
)


def test_every_kind_has_a_rig() -> None:
    assert {kind.split()[0] for kind in RIGS} == set(KINDS)


@pytest.mark.parametrize("kind", RIGS)
@pytest.mark.parametrize("event", NotificationEvent)
async def test_a_message_arrives_with_what_it_is_about(
    kind: str, event: NotificationEvent, tmp_path: Path
) -> None:
    async with RIGS[kind](tmp_path) as rig:
        receipt = await rig.channel.send(notification(event), to=rig.to)
        (arrived,) = rig.inbox()
    assert receipt.text
    assert "high error rate" in arrived.lower()
    if event is NotificationEvent.DRILL:
        assert "drill" in arrived.lower()
    if event in (NotificationEvent.ACKNOWLEDGED, NotificationEvent.RESOLVED):
        assert ACK_URL not in arrived
    if event is NotificationEvent.ACKNOWLEDGED:
        assert "Developer B" in arrived or kind in {"pagerduty", "voice"}
    if event is NotificationEvent.RESOLVED:
        assert "12m" in arrived


@pytest.mark.parametrize("kind", RIGS)
@pytest.mark.parametrize("event", ASKING)
async def test_a_page_can_be_acknowledged_from_the_message(
    kind: str, event: NotificationEvent, tmp_path: Path
) -> None:
    async with RIGS[kind](tmp_path) as rig:
        await rig.channel.send(notification(event), to=rig.to)
        (arrived,) = rig.inbox()
    assert ACK_URL in arrived


@pytest.mark.parametrize("kind", sorted(set(RIGS) - {"sms", "voice"}))
async def test_a_page_carries_the_value_the_role_and_the_incident(
    kind: str, tmp_path: Path
) -> None:
    async with RIGS[kind](tmp_path) as rig:
        await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
        (arrived,) = rig.inbox()
    assert "7.3 %" in arrived
    assert "On-call developer" in arrived
    assert INCIDENT_URL in arrived


@pytest.mark.parametrize(("kind", "fault"), EACH_FAULT)
async def test_a_fault_says_whether_trying_again_can_help(
    kind: str, fault: Fault, tmp_path: Path
) -> None:
    async with RIGS[kind](tmp_path) as rig:
        rig.break_it(fault)
        if fault is Fault.FLOODS and kind not in READS_THE_ANSWER:
            await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
        else:
            with pytest.raises(DeliveryError) as caught:
                await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
            assert caught.value.temporary is TEMPORARY.get(fault, True)
            assert caught.value.retry_after == _wished(kind, fault)
            assert SECRET not in str(caught.value)
            assert len(str(caught.value)) < 400
        assert rig.flooded() < 20_000_000


def _wished(kind: str, fault: Fault) -> float | None:
    return 7.0 if fault is Fault.BUSY and kind != "apprise" else None


@pytest.mark.parametrize("kind", sorted(set(RIGS) - {"console"}))
async def test_a_receiver_that_recovers_gets_the_next_message(kind: str, tmp_path: Path) -> None:
    async with RIGS[kind](tmp_path) as rig:
        rig.break_it(Fault.FAILS)
        with pytest.raises(DeliveryError):
            await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
        before = len(rig.inbox())
        rig.break_it(None)
        await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
        assert len(rig.inbox()) == before + 1


@pytest.mark.parametrize("kind", RIGS)
async def test_no_secret_shows_in_settings_receipts_or_logs(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RIGS[kind](tmp_path) as rig:
        receipt = await rig.channel.send(notification(NotificationEvent.PAGE), to=rig.to)
        dumped = TypeAdapter(type(rig.settings)).dump_json(rig.settings)
        shown = f"{rig.settings!r} {rig.settings} {dumped!r} {receipt}"
    assert SECRET not in shown
    # aiosmtpd is the receiver, and may log what it likes.
    logged = [one.getMessage() for one in caplog.records if one.name != "mail.log"]
    assert not [words for words in logged if SECRET in words]


HOSTILE = (
    "<script>alert(1)</script>\r\nBcc: all@example.org\x1b[2J\u202egnp.exe\ud800" + "A" * 100_000
)


@pytest.mark.parametrize("kind", RIGS)
async def test_hostile_text_is_cut_cleaned_and_delivered(kind: str, tmp_path: Path) -> None:
    page = notification(
        NotificationEvent.PAGE,
        title=HOSTILE,
        summary=HOSTILE,
        description=HOSTILE,
        role=HOSTILE,
        person_name=HOSTILE,
        runbook=(HOSTILE,) * 50,
        evidence=(HOSTILE,) * 50,
        next_step=HOSTILE,
        value_text=HOSTILE,
        timezone="../../etc/passwd",
        runbook_url="javascript:alert(1)",
        dedup_key="ключ\r\nInjected: yes",
    )
    async with RIGS[kind](tmp_path) as rig:
        await rig.channel.send(page, to=rig.to)
        (arrived,) = rig.inbox()
    assert len(arrived) < 40_000
    assert "\x1b" not in arrived
    assert "\u202e" not in arrived
    assert "javascript:" not in arrived
