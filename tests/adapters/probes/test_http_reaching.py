"""The http probe on its way to an answer: every way in which there may be none."""

from __future__ import annotations

import gc
import gzip
import zlib

import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.network.wire import Wire
from tests.support.probing import asked, measured
from tests.support.servers import (
    Authority,
    Behaviour,
    answer,
    closed_port,
    drips,
    floods,
    floods_headers,
    garbage,
    hangs,
    hangs_up,
    redirects_to_itself,
    resets,
    sends,
    sends_in_turn,
    serving,
)


async def ask_of(behaviour: Behaviour, *, timeout: float = 5.0, **settings: object) -> Outcome:
    async with serving(behaviour) as server:
        return await asked("http", timeout=timeout, url=server.url + "/", **settings)


async def test_a_good_answer_is_up_with_every_phase() -> None:
    outcome = await ask_of(sends(answer(body=b"hello")))
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK)
    assert list(outcome.phases) == ["resolve", "connect", "processing", "transfer"]
    assert all(seconds >= 0 for seconds in outcome.phases.values())
    assert sum(outcome.phases.values()) <= outcome.duration


async def test_it_measures_under_blackbox_exporters_names() -> None:
    found = measured(await ask_of(sends(answer(body=b"hello"))))
    assert found["probe_http_status_code"] == 200
    assert found["probe_http_version"] == 1.1
    assert found["probe_http_content_length"] == 5
    assert found["probe_http_uncompressed_body_length"] == 5
    assert found["probe_http_redirects"] == 0
    assert found["probe_http_ssl"] == 0
    assert found["probe_ip_protocol"] == 4
    assert found["probe_failed_due_to_regex"] == 0
    for phase in ("resolve", "connect", "processing", "transfer"):
        assert f"probe_http_duration_seconds{{phase={phase}}}" in found


async def test_what_it_sends_is_a_proper_request() -> None:
    async with serving(sends(answer())) as server:
        await asked(
            "http", url=f"http://me:p%40ss@127.0.0.1:{server.port}/a b?q=1#f".replace(" ", "%20")
        )
    lines = server.requests[0].split("\r\n")
    assert lines[0] == "GET /a%20b?q=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Connection: close" in lines
    assert "User-Agent: stewardmon/test" in lines
    assert "Authorization: Basic bWU6cEBzcw==" in lines


async def test_a_body_and_headers_are_sent() -> None:
    async with serving(sends(answer())) as server:
        outcome = await asked(
            "http",
            url=server.url,
            method="POST",
            headers={"Content-Type": "application/json", "accept": "text/plain"},
            body='{"query": "é"}',
        )
    assert outcome.success
    head = server.requests[0]
    assert "POST / HTTP/1.1" in head
    assert "Content-Length: 15" in head
    assert "accept: text/plain" in head
    assert "*/*" not in head


@pytest.mark.parametrize(
    ("behaviour", "reason", "says"),
    [
        (garbage, Reason.PROTOCOL, "does not speak HTTP"),
        (hangs_up, Reason.RESET, "hung up without an answer"),
        (resets, Reason.RESET, "cut the connection"),
        (floods_headers, Reason.TOO_LARGE, "more than 64 KiB of headers"),
        (floods, Reason.TOO_LARGE, "longer than the limit of 1,048,576 bytes"),
        (redirects_to_itself, Reason.REDIRECT, "more than 5 redirects, the last one to /xxxxxx"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-"), Reason.INCOMPLETE, "amid the headers"),
        (sends(answer(body=b"12345")[:-2]), Reason.INCOMPLETE, "amid the body"),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.PROTOCOL, "does not speak HTTP"),
        (
            sends(
                answer(
                    body=b"5\r\nabcde\r\n", length=False, headers={"Transfer-Encoding": "chunked"}
                )
            ),
            Reason.INCOMPLETE,
            "amid the body",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_an_answer_that_is_none(behaviour: Behaviour, reason: Reason, says: str) -> None:
    outcome = await ask_of(behaviour)
    assert (outcome.state, outcome.reason) == (State.DOWN, reason), outcome.detail
    assert says in outcome.detail
    if reason not in (Reason.TOO_LARGE, Reason.REDIRECT):
        assert measured(outcome)["probe_http_status_code"] == 0


@pytest.mark.parametrize(
    ("behaviour", "phase", "says"),
    [
        (hangs, "processing", "while waiting for the first byte of the answer"),
        (drips, "transfer", "while reading the answer"),
    ],
)
async def test_a_timeout_says_where_it_hung(behaviour: Behaviour, phase: str, says: str) -> None:
    outcome = await ask_of(behaviour, timeout=0.3)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert outcome.detail == f"no answer within 0.3 s {says}"
    assert list(outcome.phases)[-1] == phase
    assert 0.2 < outcome.phases[phase] <= outcome.duration
    assert f"probe_http_duration_seconds{{phase={phase}}}" in measured(outcome)


async def test_nothing_listens() -> None:
    port = closed_port()
    outcome = await asked("http", url=f"http://127.0.0.1:{port}/")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REFUSED)
    assert outcome.detail == f"nothing listens on 127.0.0.1:{port}: connection refused"


async def test_a_name_that_does_not_exist() -> None:
    outcome = await asked("http", url="http://no-such-host.invalid/")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.DNS)
    assert "no-such-host.invalid" in outcome.detail


async def test_a_name_is_resolved_and_the_next_address_tried_when_one_refuses() -> None:
    # localhost is ::1 and 127.0.0.1 on most systems; the server listens on the latter only.
    async with serving(sends(answer())) as server:
        outcome = await asked("http", url=f"http://localhost:{server.port}/")
    assert outcome.success, outcome.detail


@pytest.mark.parametrize(
    "pieces",
    [
        [answer(body=b"whole")],
        [answer(body=b"wh", length=False) + b"ole"],
        [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
            answer(body=b"whole"),
        ],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh",
            b"\r\n3\r\nole\r\n0\r\n\r\n",
        ],
        [bytes([byte]) for byte in answer(body=b"whole")],
        [b"HTTP/1.0 200 OK\r\n\r\nwhole"],
        [answer(body=b"whole") + b"and more that nobody asked for"],
        [answer(body=gzip.compress(b"whole"), headers={"Content-Encoding": "gzip"})],
        [answer(body=zlib.compress(b"whole"), headers={"Content-Encoding": "deflate"})],
        [answer(body=zlib.compress(b"whole")[2:-4], headers={"Content-Encoding": "deflate"})],
    ],
    ids=[
        "plain",
        "until-close",
        "informational",
        "chunked",
        "bytes",
        "1.0",
        "more",
        "gz",
        "zlib",
        "raw",
    ],
)
async def test_a_body_arrives_whole_however_it_is_sent(pieces: list[bytes]) -> None:
    outcome = await ask_of(sends(*pieces), expect={"body": {"matches": "^whole$"}})
    assert outcome.success, outcome.detail
    assert measured(outcome)["probe_http_uncompressed_body_length"] == 5


async def test_an_answer_to_head_has_no_body() -> None:
    outcome = await ask_of(
        sends(answer(headers={"Content-Length": "5000"}, length=False)), method="HEAD"
    )
    assert outcome.success, outcome.detail


async def test_a_packed_body_does_not_unpack_beyond_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    outcome = await ask_of(sends(answer(body=bomb, headers={"Content-Encoding": "gzip"})))
    assert outcome.reason is Reason.TOO_LARGE


async def test_a_body_that_is_not_packed_as_it_claims() -> None:
    outcome = await ask_of(sends(answer(body=b"plain", headers={"Content-Encoding": "gzip"})))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.PROTOCOL)


async def test_a_redirect_is_followed_and_counted() -> None:
    behaviour = sends_in_turn(
        answer(302, headers={"Location": "/there", "Set-Cookie": "a=b"}),
        answer(307, headers={"Location": "/further?x=1"}),
        answer(body=b"arrived"),
    )
    async with serving(behaviour) as server:
        outcome = await asked("http", url=server.url, expect={"body": {"contains": "arrived"}})
    assert outcome.success, outcome.detail
    assert measured(outcome)["probe_http_redirects"] == 2
    assert [request.split(" ")[1] for request in server.requests] == ["/", "/there", "/further?x=1"]
    assert "cookie: a=b" in server.requests[1].lower()


async def test_a_key_does_not_follow_a_redirect_to_another_host() -> None:
    async with serving(sends(answer())) as other:
        redirect = sends(answer(302, headers={"Location": f"http://localhost:{other.port}/"}))
        async with serving(redirect) as server:
            headers = {"Authorization": "Bearer secret-of-ours"}
            outcome = await asked("http", url=server.url, headers=headers)
    assert outcome.success
    assert "secret-of-ours" in server.requests[0]
    assert "secret-of-ours" not in other.requests[0]


async def test_a_redirect_is_an_answer_where_following_is_off() -> None:
    redirect = sends(answer(307, headers={"Location": "/login?next=secret"}))
    outcome = await ask_of(redirect, follow_redirects=False)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REDIRECT)
    assert outcome.detail == "answered 307, expected 2xx: it redirects to /login"
    assert (await ask_of(redirect, expect={"status": [307]})).success


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/", "http://[", "javascript:alert(1)"])
async def test_a_redirect_to_nowhere(place: str) -> None:
    outcome = await ask_of(sends(answer(302, headers={"Location": place})))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REDIRECT), outcome.detail


async def test_private_addresses_are_refused_where_the_settings_say_so() -> None:
    async with serving(sends(answer())) as server:
        outcome = await asked("http", url=server.url, allow_private=False)
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.FORBIDDEN_ADDRESS)
        assert server.requests == []


class TestTls:
    """Over TLS, with real certificates."""

    async def test_a_good_certificate(self, authority: Authority, roots: str) -> None:
        async with serving(sends(answer()), tls=authority.good()) as server:
            outcome = await asked("http", url=server.url, verify=roots)
        assert outcome.success, outcome.detail
        assert list(outcome.phases) == ["resolve", "connect", "tls", "processing", "transfer"]
        found = measured(outcome)
        assert found["probe_http_ssl"] == 1
        assert found["probe_tls_version_info{version=TLS 1.3}"] == 1
        assert found["probe_ssl_earliest_cert_expiry"] > 1_700_000_000

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            ("expired", "has expired"),
            ("wrong_name", "is for other names than localhost"),
            ("untrusted", "not trusted"),
        ],
    )
    async def test_a_bad_certificate(
        self, authority: Authority, roots: str, fault: str, says: str
    ) -> None:
        async with serving(sends(answer()), tls=getattr(authority, fault)()) as server:
            outcome = await asked("http", url=server.url, verify=roots)
            assert (outcome.state, outcome.reason) == (State.DOWN, Reason.CERTIFICATE)
            assert says in outcome.detail
            assert "tls" in outcome.phases
            assert (await asked("http", url=server.url, verify=False)).success

    async def test_a_certificate_that_expires_soon(self, authority: Authority, roots: str) -> None:
        async with serving(sends(answer()), tls=authority.good(days=5)) as server:
            expect = {"tls": {"min_days": 14}}
            outcome = await asked("http", url=server.url, verify=roots, expect=expect)
        assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.CERTIFICATE)
        assert outcome.detail.endswith("days, expected at least 14")

    async def test_a_server_that_does_not_speak_tls(self) -> None:
        async with serving(garbage) as server:
            outcome = await asked("http", url=f"https://127.0.0.1:{server.port}/")
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TLS)

    async def test_a_handshake_that_hangs(self) -> None:
        async with serving(hangs) as server:
            outcome = await asked("http", url=f"https://127.0.0.1:{server.port}/", timeout=0.2)
        assert outcome.reason is Reason.TIMEOUT
        assert outcome.detail.endswith("during the TLS handshake")

    async def test_a_server_that_hangs_up_amid_the_handshake(self) -> None:
        async with serving(hangs_up) as server:
            outcome = await asked("http", url=f"https://127.0.0.1:{server.port}/")
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.RESET)


@pytest.mark.parametrize(
    ("behaviour", "timeout"),
    [(sends(answer(body=b"hello")), 5.0), (hangs_up, 5.0), (garbage, 5.0), (hangs, 0.2)],
    ids=["answers", "hangs-up", "garbage", "hangs"],
)
async def test_an_ask_leaves_nothing_for_the_garbage_collector(
    behaviour: Behaviour, timeout: float
) -> None:
    """Thousands a second would give it much to do, and what is young stays for minutes."""
    gc.collect()
    gc.disable()
    try:
        await ask_of(behaviour, timeout=timeout)
        for _ in range(3):
            await SystemClock().sleep(0)  # until the connection is told to be lost
        assert [one for one in gc.get_objects() if isinstance(one, Wire)] == []
    finally:
        gc.enable()
