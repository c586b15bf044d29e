"""The tcp, tls and dns probes against real listeners."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes import KINDS
from tests.support.probing import asked, measured
from tests.support.servers import Authority, garbage, hangs, hangs_up, sends, serving


async def greets(_: StreamReader, writer: StreamWriter) -> None:
    """Speak first, as mail servers do."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


async def echoes(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()


class TestTcp:
    """Somebody listens."""

    async def test_a_listener_is_up(self) -> None:
        async with serving(hangs) as server:
            outcome = await asked("tcp", address=f"127.0.0.1:{server.port}")
        assert outcome.success
        assert list(outcome.phases) == ["resolve", "connect"]
        assert measured(outcome)["probe_ip_protocol"] == 4

    async def test_a_greeting_is_expected(self) -> None:
        async with serving(greets) as server:
            place = f"127.0.0.1:{server.port}"
            assert (await asked("tcp", address=place, expect="^220 ")).success
            outcome = await asked("tcp", address=place, expect="^554 ")
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.BODY)
        assert outcome.detail == f'{place} said "220 mail.example ESMTP", expected ^554 '
        assert measured(outcome)["probe_failed_due_to_regex"] == 1

    async def test_what_is_sent_comes_back(self) -> None:
        async with serving(echoes) as server:
            place = f"localhost:{server.port}"
            assert (await asked("tcp", address=place, send="PING", expect="^PING$")).success

    async def test_silence_times_out(self) -> None:
        async with serving(hangs) as server:
            outcome = await asked(
                "tcp", timeout=0.2, address=f"127.0.0.1:{server.port}", expect="x"
            )
        assert outcome.reason is Reason.TIMEOUT

    async def test_hanging_up_without_a_word(self) -> None:
        async with serving(hangs_up) as server:
            place = f"127.0.0.1:{server.port}"
            outcome = await asked("tcp", address=place, send="x", expect="x")
        assert outcome.reason is Reason.BODY

    @pytest.mark.parametrize("place", ["host", "host:0", "host:70000", ":80", "a b:80", "h:1x"])
    def test_an_address_that_is_none(self, place: str) -> None:
        with pytest.raises(ValidationError):
            KINDS["tcp"].settings.model_validate({"address": place})


class TestTls:
    """Certificates."""

    async def test_a_good_certificate(self, authority: Authority, roots: str) -> None:
        async with serving(hangs, tls=authority.good(days=400)) as server:
            outcome = await asked("tls", address=f"localhost:{server.port}", verify=roots)
        assert outcome.success, outcome.detail
        assert list(outcome.phases) == ["resolve", "connect", "tls"]
        found = measured(outcome)
        assert found["stewardmon_tls_lifetime_left_ratio"] == pytest.approx(0.5, abs=0.01)
        assert found["probe_tls_version_info{version=TLS 1.3}"] == 1
        assert found["probe_ssl_earliest_cert_expiry"] > 1_700_000_000

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"lifetime_left": 0.25}, "20% of the certificate's life is left"),
            ({"min_days": 120}, "days, expected at least 120"),
            ({"issuer": "Let's Encrypt"}, "expected Let's Encrypt"),
        ],
    )
    async def test_a_certificate_that_is_not_as_expected(
        self, authority: Authority, roots: str, settings: dict[str, Any], says: str
    ) -> None:
        async with serving(hangs, tls=authority.good(days=100)) as server:
            place = f"localhost:{server.port}"
            outcome = await asked("tls", address=place, verify=roots, **settings)
        assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.CERTIFICATE)
        assert says in outcome.detail

    @pytest.mark.parametrize("fault", ["expired", "wrong_name", "untrusted"])
    async def test_a_refused_certificate_is_described(
        self, authority: Authority, roots: str, fault: str
    ) -> None:
        async with serving(hangs, tls=getattr(authority, fault)()) as server:
            outcome = await asked("tls", address=f"localhost:{server.port}", verify=roots)
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.CERTIFICATE)
        assert "valid until 20" in outcome.detail
        assert "probe_ssl_earliest_cert_expiry" in measured(outcome)

    async def test_the_name_may_be_another_than_the_host(
        self, authority: Authority, roots: str
    ) -> None:
        async with serving(hangs, tls=authority.wrong_name()) as server:
            place = f"127.0.0.1:{server.port}"
            outcome = await asked("tls", address=place, name="elsewhere.example", verify=roots)
        assert outcome.success, outcome.detail

    async def test_no_tls_at_all(self) -> None:
        async with serving(garbage) as server:
            outcome = await asked("tls", address=f"127.0.0.1:{server.port}")
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TLS)

    async def test_plain_words_before_the_handshake(self) -> None:
        async with serving(sends(b"x")) as server:
            outcome = await asked("tls", timeout=0.5, address=f"127.0.0.1:{server.port}")
        assert not outcome.success


ZONE = {
    ("app.example.", "A"): ("192.0.2.7", "192.0.2.8"),
    ("app.example.", "TXT"): ('"v=spf1 -all"',),
}


class NameServer(asyncio.DatagramProtocol):
    """A name server that knows one zone."""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        asked_ = dns.message.from_wire(data)
        question = asked_.question[0]
        name, kind = question.name.to_text(), question.rdtype.name
        answer = dns.message.make_response(asked_)
        if (name, kind) in ZONE:
            records = ZONE[name, kind]
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *records))
        elif name != "app.example.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), sender)


@asynccontextmanager
async def name_server() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


class TestDns:
    """Names."""

    async def answer(self, **settings: Any) -> Outcome:
        async with name_server() as server:
            return await asked("dns", server=server, **{"name": "app.example", **settings})

    async def test_a_name_with_addresses(self) -> None:
        outcome = await self.answer()
        assert outcome.success
        assert outcome.detail == "app.example A is 192.0.2.7, 192.0.2.8"
        found = measured(outcome)
        assert found["probe_dns_answer_rrs"] == 2
        assert found["stewardmon_dns_ttl_seconds"] == 60
        assert found["probe_dns_lookup_time_seconds"] > 0

    @pytest.mark.parametrize(
        ("settings", "reason", "detail"),
        [
            ({"expect": ["^192"]}, Reason.OK, "app.example A is 192.0.2.7, 192.0.2.8"),
            (
                {"expect": [r"^203\."]},
                Reason.WRONG_ANSWER,
                r"app.example A is 192.0.2.7, 192.0.2.8, expected ^203\.",
            ),
            ({"min_records": 3}, Reason.WRONG_ANSWER, "app.example has 2 A records, expected 3"),
            ({"type": "MX"}, Reason.WRONG_ANSWER, "app.example has 0 MX records, expected 1"),
            ({"type": "TXT", "expect": ["spf1"]}, Reason.OK, 'app.example TXT is "v=spf1 -all"'),
            ({"name": "gone.example"}, Reason.DNS, "the name gone.example does not exist"),
        ],
    )
    async def test_what_the_server_says(
        self, settings: dict[str, Any], reason: Reason, detail: str
    ) -> None:
        outcome = await self.answer(**settings)
        assert (outcome.reason, outcome.detail) == (reason, detail)
        assert outcome.success is (reason is Reason.OK)
