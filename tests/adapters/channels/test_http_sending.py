"""What every HTTP channel shares: statuses, waits, TLS, addresses, and bodies that never end."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64decode
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trustme

from stewardmon.channels.http_client import Request, redact, url_secrets
from stewardmon.channels.http_wire import Wire
from stewardmon.channels.settings import HttpSettings
from stewardmon.channels.status import delivered, parse_retry_after, refused
from stewardmon.channels.webhook import WebhookChannel, WebhookSettings
from stewardmon.domain.notification import Receipt
from stewardmon.errors import DeliveryError
from stewardmon.network import dial
from tests.support.http_receiver import HttpReceiver, Received, answers, babbles, closes
from tests.support.notifications import NOW, PAGE, context


async def post(url: str, **keys: Any) -> Receipt:
    settings = WebhookSettings.model_validate({"url": url, "timeout": "500ms", **keys})
    channel = WebhookChannel(settings, context())
    try:
        return await channel.send(PAGE, to="dev-a")
    finally:
        await channel.close()


async def failure(url: str, **keys: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await post(url, **keys)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_delivery(status: int) -> None:
    assert delivered(status)


@pytest.mark.parametrize(
    ("status", "temporary"),
    [
        (300, False), (301, False), (302, False), (303, False), (307, False), (308, False),
        (400, False), (401, False), (403, False), (404, False), (405, False), (408, True),
        (409, False), (410, False), (413, False), (422, False), (425, True), (429, True),
        (499, False), (500, True), (501, True), (502, True), (503, True), (504, True), (599, True),
    ],
)  # fmt: skip
def test_the_table_of_statuses(status: int, temporary: bool) -> None:
    assert not delivered(status)
    error = refused(status, host="h", now=NOW)
    assert error.temporary is temporary
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 10_000, 9_999_999_999.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_as_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


async def test_a_date_in_retry_after_becomes_seconds() -> None:
    at = format_datetime(NOW + timedelta(minutes=2), usegmt=True)
    async with HttpReceiver() as receiver:
        receiver.behaviour = answers(503, b"", Retry_After=at)
        error = await failure(receiver.url)
    assert error.retry_after == 120.0


async def test_a_redirect_is_named_as_what_it_is() -> None:
    async with HttpReceiver() as receiver:
        receiver.behaviour = answers(302, b"", Location=f"{receiver.url}/other")
        error = await failure(receiver.url)
        assert len(receiver.received) == 1
    assert str(error) == (
        "127.0.0.1 answered 302, a redirect, and redirects are not followed: "
        "configure the address that it leads to"
    )


async def test_nobody_listening_is_temporary() -> None:
    async with HttpReceiver() as receiver:
        url = receiver.url
    error = await failure(url)
    assert error.temporary
    assert str(error) == f"nothing listens on {url[7:]}: connection refused"


async def test_a_name_with_several_addresses_that_all_refuse() -> None:
    async with HttpReceiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
    assert str(await failure(url)) == f"nothing listens on {url[7:]}: connection refused"


async def test_an_answer_that_is_not_http_is_temporary() -> None:
    async with HttpReceiver() as receiver:
        receiver.behaviour = babbles
        error = await failure(receiver.url)
    assert error.temporary
    assert "does not speak HTTP/1.1" in str(error)


async def test_a_connection_cut_in_the_headers_is_temporary() -> None:
    async with HttpReceiver() as receiver:
        receiver.behaviour = closes
        assert (await failure(receiver.url)).temporary


async def breaks_off(
    _: HttpReceiver, __: Received, ___: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def drips(
    _: HttpReceiver, __: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nh")
    await writer.drain()
    await reader.read()


async def test_a_status_is_a_receipt_whatever_becomes_of_the_body() -> None:
    async with HttpReceiver() as receiver:
        for behaviour in (breaks_off, drips):
            receiver.behaviour = behaviour
            assert (await post(receiver.url)).text.endswith("answered 200")


async def test_headers_that_drip_are_cut_off() -> None:
    async def behave(
        _: HttpReceiver, __: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Each byte comes well within a read's own time limit.
        while not reader.at_eof():
            writer.write(b"H")
            await writer.drain()
            try:
                async with asyncio.timeout(0.05):
                    await reader.read(1)
            except TimeoutError:
                continue

    async with HttpReceiver() as receiver:
        receiver.behaviour = behave
        error = await failure(receiver.url)
    assert error.temporary


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(found)
    return found


async def test_a_certificate_of_nobody_we_know_is_temporary_and_named(
    authority: trustme.CA,
) -> None:
    async with HttpReceiver(tls=server_context(authority, "127.0.0.1")) as receiver:
        error = await failure(receiver.url)
    assert error.temporary
    assert "comes from an issuer that is not trusted here" in str(error)


async def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with HttpReceiver(tls=server_context(authority, "other.example")) as receiver:
        error = await failure(receiver.url, ca_file=tmp_path / "ca.pem")
    assert str(error) == "the certificate is for other names than 127.0.0.1"


async def test_an_authority_of_ones_own_can_be_trusted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with HttpReceiver(tls=server_context(authority, "127.0.0.1")) as receiver:
        receipt = await post(receiver.url, ca_file=tmp_path / "ca.pem")
    assert receipt.text


async def test_plain_http_behind_an_https_url_is_named() -> None:
    async with HttpReceiver() as receiver:
        error = await failure(receiver.url.replace("http:", "https:"))
    assert error.temporary
    assert "no TLS connection with 127.0.0.1" in str(error)


async def test_a_tls_handshake_that_is_never_answered_is_given_up_and_closed() -> None:
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(f"https://127.0.0.1:{port}/")
        await gone.wait()
    assert error.temporary
    assert str(error) == "127.0.0.1 did not answer within 0.5s"


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "\ud800"}])
async def test_a_header_that_would_break_the_request_is_never_sent(headers: dict[str, str]) -> None:
    wire = Wire(timeout=0.5, user_agent="t", public_only=False, ca_file="")
    async with HttpReceiver() as receiver:
        with pytest.raises(DeliveryError, match="check the channel's URL and headers") as caught:
            await wire.post(Request(url=receiver.url, headers=headers), host="h")
        assert receiver.received == []
    assert not caught.value.temporary


async def test_a_form_and_a_login_arrive() -> None:
    wire = Wire(timeout=0.5, user_agent="t", public_only=False, ca_file="")
    form = {"To": "+49 30", "Body": "Größe & mehr"}
    async with HttpReceiver() as receiver:
        await wire.post(Request(url=receiver.url, form=form, user=("me", "p:w")), host="h")
        (received,) = receiver.received
    assert dict(parse_qsl(received.body.decode())) == form
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b64decode(received.headers["authorization"].split()[1]) == b"me:p:w"
    assert received.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"])
async def test_a_channel_for_public_addresses_refuses_private_ones(host: str) -> None:
    error = await failure(f"http://{host}:9/secret-path", public_only=True)
    assert not error.temporary
    assert "not public" in str(error)
    assert "secret-path" not in str(error)


async def test_the_judged_address_is_reached_under_the_servers_own_name(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def looked_up(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(dial, "private", lambda _: False)
    monkeypatch.setattr(dial, "_lookup", looked_up)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with HttpReceiver(tls=server_context(authority, "hooks.example")) as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        await post(url, public_only=True, ca_file=tmp_path / "ca.pem")
        (received,) = receiver.received
        assert received.headers["host"] == f"hooks.example:{receiver.port}"
    assert asked == ["hooks.example"]


async def test_names_that_hang_for_probes_keep_no_page_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def look_up(host: str) -> list[str]:
        if host.startswith("hangs"):
            over.wait()
        return ["127.0.0.1"]

    monkeypatch.setattr(dial, "_lookup", look_up)
    async with HttpReceiver() as receiver, asyncio.TaskGroup() as group:
        for number in range(200):  # more than the probes' resolver has threads
            group.create_task(dial.resolver().addresses(f"hangs-{number}.example"))
        await asyncio.sleep(0)  # noqa: TID251 - until they are under way
        try:
            receipt = await post(receiver.url.replace("127.0.0.1", "hooks.example"))
        finally:
            over.set()
    assert receipt.text


def test_secrets_are_struck_out_however_they_are_quoted() -> None:
    secrets = url_secrets("https://bob:pass%40word@host/services/T0/secret%2Fpart?key=quux99")
    said = "pass@word pass%40word secret/part secret%2Fpart key=quux99 Ym9iOnBhc3NAd29yZA== fine"
    assert redact(said, secrets).replace("…", "").split() == ["fine"]


async def test_a_users_proxy_settings_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with HttpReceiver() as receiver:
        assert (await post(receiver.url)).text


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "ftp://host/hunter2"}, "begin with http:// or https://"),
        ({"url": "hunter2"}, "begin with http:// or https://"),
        ({"url": "http://hunter2:x@[::1"}, "this is not a URL"),
        ({"url": "http://host:hunter2/"}, "this is not a URL"),
        ({"url": "http://host/hunter2 b"}, "a space or a control character"),
        ({"url": "http://host/#hunter2"}, "fragment"),
        ({"url": "http://a..b/hunter2"}, "not a valid name"),
        ({"url": "http://h/", "headers": {"X Y": "hunter2"}}, "'X Y' is not a header's name"),
        ({"url": "http://h/", "headers": {"X": "hunter2\r\nY: 1"}}, "printable ASCII"),
        ({"url": "http://h/", "timeout": "0s"}, "above 0s"),
        ({"url": "http://h/", "timeout": "31s"}, "at most 30s"),
        ({"url": "http://h/", "per_minute": 0}, "greater than 0"),
        ({"url": "http://h/", "ca_file": "/nowhere/hunter2.pem"}, "does not point to a file"),
        ({"url": "http://h/", "colour": "hunter2"}, "Unexpected keyword"),
    ],
)
def test_a_bad_setting_is_explained_without_being_repeated(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        WebhookSettings.model_validate(keys)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_ten_seconds_is_the_default_timeout() -> None:
    assert HttpSettings().timeout == timedelta(seconds=10)
