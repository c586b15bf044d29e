"""Mail over real SMTP: what is sent, how it is protected, and what each refusal means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult

from stewardmon.channels.email import EmailChannel, EmailSettings, compose, parse_address
from stewardmon.domain.notification import Notification, NotificationEvent
from stewardmon.errors import DeliveryError
from tests.support.mail_receiver import MailReceiver
from tests.support.notifications import NOW, PAGE, context, notification
from tests.support.virtual import run_virtually

# aiosmtpd's own uses of what it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:aiosmtpd")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def channel(port: int, *, login: str = "", scheme: str = "smtp", **keys: Any) -> EmailChannel:
    url = f"{scheme}://{login}127.0.0.1:{port}"
    settings = {"url": url, "from": "stewardmon@localhost", "timeout": "700ms", **keys}
    return EmailChannel(EmailSettings.model_validate(settings), context())


async def failure(sender: EmailChannel, *, to: str = "dev-a@localhost") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sender.send(PAGE, to=to)
    return caught.value


async def delivered(message: Notification) -> Any:
    async with MailReceiver() as server:
        await channel(server.port).send(message, to="dev-a@localhost")
        (mail,) = server.inbox
        assert server.recipients == ["dev-a@localhost"]
    return mail


async def test_a_page_is_a_mail_in_text_and_html() -> None:
    mail = await delivered(PAGE)
    assert mail["subject"] == "CRITICAL: High Error Rate"
    assert mail["from"] == "stewardmon <stewardmon@localhost>"
    assert mail["to"] == "dev-a@localhost"
    assert mail["date"].datetime == NOW
    assert mail["importance"] == "high"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    assert "▁▂▃▅▇" in mail.get_body(("plain",)).get_content()
    assert "<h1" in mail.get_body(("html",)).get_content()


async def test_a_repeated_delivery_has_the_same_message_id() -> None:
    first, again = await delivered(PAGE), await delivered(replace(PAGE, attempt=2))
    other = await delivered(replace(PAGE, dedup_key="another"))
    assert first["message-id"] == again["message-id"]
    assert first["message-id"] != other["message-id"]


async def test_all_mails_of_an_incident_form_one_thread() -> None:
    page = await delivered(PAGE)
    over = await delivered(notification(NotificationEvent.RESOLVED, dedup_key="r"))
    other = await delivered(replace(PAGE, incident="inc-8"))
    assert page["in-reply-to"] == over["in-reply-to"] == page["references"]
    assert page["in-reply-to"] != other["in-reply-to"]
    assert "importance" not in over


async def test_nothing_in_a_title_becomes_a_header() -> None:
    mail = await delivered(replace(PAGE, title="Error\r\nBcc: evil@example.org\r\n\r\nbody"))
    assert mail["bcc"] is None
    assert mail["subject"] == "CRITICAL: Error Bcc: evil@example.org body"


async def test_a_subject_in_any_script_arrives() -> None:
    mail = await delivered(replace(PAGE, title="Фehler 漢字 " * 30))
    assert mail["subject"].startswith("CRITICAL: Фehler 漢字")


def test_a_chart_is_shown_inside_the_html() -> None:
    sender = Address("", "s", "localhost")
    mail = compose(PAGE, sender=sender, to=sender, now=NOW, chart=PNG)
    page = mail.get_body(("html",))
    assert page is not None
    assert 'src="cid:chart"' in page.get_content()
    (image,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert image["content-id"] == "<chart>"
    assert image.get_payload(decode=True) == PNG


async def test_a_page_with_a_course_carries_its_picture() -> None:
    mail = await delivered(replace(PAGE, course=(0.1, 0.3, None, 7.5), threshold=5.0))
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content().startswith(b"\x89PNG")
    (html,) = [part for part in mail.walk() if part.get_content_type() == "text/html"]
    assert picture["Content-ID"] == "<chart>"
    assert 'src="cid:chart"' in html.get_content()
    assert "dashed in red the threshold" in html.get_content()


@pytest.mark.parametrize(
    ("stage", "answer", "temporary"),
    [
        ("sender_answer", "550 not you", False),
        ("sender_answer", "451 later", True),
        ("recipient_answer", "550 no such user", False),
        ("recipient_answer", "450 greylisted", True),
        ("data_answer", "554 looks like spam", False),
        ("data_answer", "452 disk full", True),
    ],
)
async def test_five_hundreds_are_permanent_and_four_hundreds_temporary(
    stage: str, answer: str, temporary: bool
) -> None:
    async with MailReceiver() as server:
        setattr(server, stage, answer)
        error = await failure(channel(server.port))
    assert error.temporary is temporary
    assert str(error) == f"mail server 127.0.0.1: answered {answer}"


def test_a_server_that_hangs_takes_no_longer_than_the_timeout() -> None:
    async def attempt() -> float:
        loop = asyncio.get_running_loop()
        async with MailReceiver() as server:
            server.hangs = True
            begun = loop.time()
            error = await failure(channel(server.port, timeout="10s"))
        assert "did not answer within 10s" in str(error)
        return loop.time() - begun

    assert run_virtually(attempt()) == pytest.approx(10, abs=0.1)


async def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_farewell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stewardmon.channels.email._LEAVE", 0.05)
    async with MailReceiver() as server:
        server.keeps_from_leaving = True
        receipt = await channel(server.port).send(PAGE, to="dev-a@localhost")
        assert len(server.inbox) == 1
    assert "queued as 42" in receipt.text


@pytest.mark.parametrize(
    "to",
    ["", "dev-a", "a@b, c@d", "a@b\r\nBcc: x@y", "Name <a@b>", "a b@c", "@b", "a@", "a@b;c@d",
     '"a\\"@b', "a@b\x00", "a@[127.0.0.1]", "(x)a@b"],
)  # fmt: skip
async def test_a_contact_that_is_no_address_is_permanent(to: str) -> None:
    error = await failure(channel(1), to=to)
    assert not error.temporary
    assert str(error) == "the contact's `to` is not a mail address"


def test_plain_addresses_are_addresses() -> None:
    for text in ("a@localhost", "first.last+tag@mail.example.org"):
        assert str(parse_address(text)) == text
    assert str(parse_address("a@bücher.example")) == "a@xn--bcher-kva.example"


async def test_nobody_listening_is_temporary() -> None:
    async with MailReceiver() as server:
        port = server.port
    error = await failure(channel(port))
    assert error.temporary
    assert "mail server 127.0.0.1: " in str(error)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff\xfe nonsense\r\n" * 50)
    await writer.drain()


async def _closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hello\r\n")
    await reader.readline()


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while not reader.at_eof():
            writer.write(b"220-more\r\n" * 1000)
            await writer.drain()
    except ConnectionError:
        return


@pytest.mark.parametrize("talk", [_silent, _garbage, _closing, _endless])
async def test_a_server_that_is_not_a_mail_server_is_temporary(talk: Talk) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        error = await failure(channel(server.sockets[0].getsockname()[1]))
        await over.wait()
    assert error.temporary
    assert len(str(error)) < 300


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return found


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(found)
    return found


async def test_encryption_is_used_where_it_is_offered(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with MailReceiver(tls_context=server_tls(authority)) as server:
        await channel(server.port, ca_file=tmp_path / "ca.pem").send(PAGE, to="a@localhost")
        assert server.encrypted == [True]


async def test_a_certificate_of_nobody_we_know_is_refused(authority: trustme.CA) -> None:
    async with MailReceiver(tls_context=server_tls(authority)) as server:
        error = await failure(channel(server.port))
        assert not server.inbox
    assert error.temporary
    assert "its TLS certificate is not accepted" in str(error)


async def test_encryption_can_be_insisted_on() -> None:
    async with MailReceiver() as server:
        error = await failure(channel(server.port, starttls="required"))
        assert not server.inbox
    assert not error.temporary
    assert "STARTTLS" in str(error)


async def test_a_password_never_leaves_for_another_machine_in_the_clear() -> None:
    async with MailReceiver(authenticator=lambda *_: AuthResult(success=True)) as server:
        # Reached over an address that does not say that it is this machine.
        url = f"smtp://bob:hunter2@[::ffff:127.0.0.1]:{server.port}"
        settings = EmailSettings.model_validate({"url": url, "from": "s@localhost"})
        error = await failure(EmailChannel(settings, context()))
        assert not server.inbox
    assert not error.temporary
    assert "hunter2" not in str(error)


async def test_user_and_password_are_used_and_a_wrong_one_is_permanent(
    authority: trustme.CA, tmp_path: Path
) -> None:
    def check(_: object, __: object, ___: object, ____: object, login: Any) -> AuthResult:
        right = (login.login, login.password) == (b"bob@x", b"p:w/d")
        return AuthResult(success=right, handled=False)

    tls = server_tls(authority)
    async with MailReceiver(tls_context=tls, authenticator=check, auth_required=True) as server:
        trusting: dict[str, Any] = {"ca_file": tmp_path / "ca.pem"}
        right = channel(server.port, login="bob%40x:p%3Aw%2Fd@", **trusting)
        await right.send(PAGE, to="a@localhost")
        error = await failure(channel(server.port, login="bob%40x:hunter2@", **trusting))
        assert len(server.inbox) == 1
    assert not error.temporary
    assert "535" in str(error)
    assert "hunter2" not in str(error)


async def test_mail_over_tls_from_the_first_byte(authority: trustme.CA, tmp_path: Path) -> None:
    async with MailReceiver(implicit_tls=server_tls(authority)) as server:
        sender = channel(server.port, scheme="smtps", ca_file=tmp_path / "ca.pem")
        receipt = await sender.send(PAGE, to="a@localhost")
        assert len(server.inbox) == 1
    assert "queued as 42" in receipt.text


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "http://h/hunter2"}, "begin with smtp:// or smtps://"),
        ({"url": "smtp://h:25/hunter2"}, "ends after the port"),
        ({"url": "smtp://u:hunter2@"}, "name a host"),
        ({"from": "not an address"}, "name@host"),
        ({"from": "a@b\r\nBcc: c@d"}, "name@host"),
        ({"starttls": "sometimes"}, "'auto', 'required' or 'never'"),
    ],
)
def test_a_bad_setting_is_explained_without_being_repeated(keys: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        EmailSettings.model_validate({"url": "smtp://h", "from": "a@b", **keys})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
