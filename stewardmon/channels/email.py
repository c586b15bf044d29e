"""Channel `email`: text and HTML over SMTP, threaded by incident, deduplicated by message id."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import unquote

from stewardmon.channels import render
from stewardmon.channels.chart import png
from stewardmon.channels.http_client import redact
from stewardmon.channels.settings import ChannelSettings, split_url
from stewardmon.channels.text import line
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, Kind
from stewardmon.settings import AfterValidator, Field, FilePath, Secret

if TYPE_CHECKING:
    import aiosmtplib

_LEAVE: Final = 1.0  # seconds that a server has to answer QUIT
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}


def _smtp_url(value: Secret) -> Secret:
    parts = split_url(value.get_secret_value(), schemes=("smtp", "smtps"))
    if parts.path not in ("", "/") or parts.query:
        raise ValueError("a mail server's URL ends after the port: smtp://user:password@host:port")
    return value


def _sender(value: str) -> str:
    return str(parse_address(value))


def parse_address(text: str) -> Address:
    """Return a mail address of one mailbox; raises ValueError for anything else."""
    # `Address` takes some control characters, and the grammar's comments and quoted parts are
    # nowhere in use but in attacks.
    if not text.isprintable() or any(sign in text for sign in ' ",;:()<>[]\\'):
        raise ValueError("a mail address is written name@host")
    name, _, host = text.rpartition("@")
    try:
        address = Address(addr_spec=f"{name}@{host.encode('idna').decode()}")
    except (MessageError, ValueError, IndexError):
        raise ValueError("a mail address is written name@host") from None
    if not address.username or not address.domain:
        raise ValueError("a mail address is written name@host")
    return address


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings(ChannelSettings):
    """The mail server and the sender.

    `url` is `smtp://` or `smtps://` with user and password where they are needed; `starttls: auto`
    encrypts where the server offers it, and insists before a password leaves this machine.
    """

    url: Annotated[Secret, AfterValidator(_smtp_url)]
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    starttls: Literal["auto", "required", "never"] = "auto"
    ca_file: FilePath | None = None


class EmailChannel:
    """Opens one SMTP session a message: nothing is kept that could have gone stale."""

    def __init__(self, settings: EmailSettings, context: Context) -> None:
        parts = split_url(settings.url.get_secret_value(), schemes=("smtp", "smtps"))
        self._settings = settings
        self._clock = context.clock
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._implicit_tls = parts.scheme == "smtps"
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        if settings.ca_file:
            _trust(settings)  # a file that cannot be used is told at the start

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Hand the message to the mail server, or raise DeliveryError."""
        try:
            recipient = parse_address(to)
        except ValueError:
            raise DeliveryError(
                "the contact's `to` is not a mail address", temporary=False
            ) from None
        sender = parse_address(self._settings.sender)
        # Off the loop: a picture takes milliseconds in which others are to be paged.
        chart = await asyncio.to_thread(png, notification.course, notification.threshold)
        now = self._clock.now()
        message = compose(notification, sender=sender, to=recipient, now=now, chart=chart)
        words = await self._submit(message, str(recipient))
        return Receipt(text=f"{self._host} accepted it: {self._safe(words)}")

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _submit(self, message: EmailMessage, to: str) -> str:
        # Imported here: settings alone do not need it.
        from aiosmtplib import SMTPException, SMTPNotSupported  # noqa: PLC0415

        seconds = self._settings.timeout.total_seconds()
        client = self._client()
        try:
            async with asyncio.timeout(seconds):
                await client.connect()
                _, words = await client.send_message(message, recipients=[to])
        except TimeoutError:
            problem, temporary = f"did not answer within {seconds:g}s", True
        except ssl.SSLCertVerificationError as error:
            problem, temporary = (
                f"its TLS certificate is not accepted ({error.verify_message})",
                True,
            )
        except SMTPNotSupported as error:
            problem, temporary = self._safe(str(error)), False
        except SMTPException as error:
            problem, temporary = self._refusal(error)
            await _take_leave(client)
        except OSError as error:
            problem, temporary = f"no connection could be made ({type(error).__name__})", True
        else:
            await _take_leave(client)
            return words
        finally:
            # The library's own context waits for an answer to QUIT, also of a server that hangs:
            # a send would take twice its time, and a stop as long.
            client.close()
        raise DeliveryError(f"mail server {self._host}: {problem}", temporary=temporary)

    def _client(self) -> aiosmtplib.SMTP:
        import aiosmtplib  # noqa: PLC0415 - as above

        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user or None,
            password=self._password or None,
            use_tls=self._implicit_tls,
            start_tls=self._start_tls(),
            tls_context=_trust(self._settings),
            timeout=self._settings.timeout.total_seconds(),
            # By default the name is looked up in DNS, which may be what is down.
            local_hostname=gethostname(),
        )

    def _start_tls(self) -> bool | None:
        """Return aiosmtplib's word: True insists, None takes what is offered, False never."""
        if self._implicit_tls or self._settings.starttls == "never":
            return False
        local = self._host in ("localhost", "::1") or self._host.startswith("127.")
        insists = self._settings.starttls == "required" or bool(self._user and not local)
        return True if insists else None

    def _refusal(self, error: Exception) -> tuple[str, bool]:
        """Return what the server said, and whether trying again can help (RFC 5321, 4.2.1)."""
        from aiosmtplib import SMTPRecipientsRefused, SMTPResponseException  # noqa: PLC0415

        if isinstance(error, SMTPRecipientsRefused) and error.recipients:
            error = error.recipients[0]
        if "STARTTLS" in str(error) and not isinstance(error, SMTPResponseException):
            return "it does not offer STARTTLS, and the message may not go unencrypted", False
        if isinstance(error, SMTPResponseException):
            said = self._safe(f"{error.code} {error.message}")
            return f"answered {said}", not 500 <= error.code <= 599
        return self._safe(str(error) or type(error).__name__), True

    def _safe(self, words: str) -> str:
        secrets = tuple(one for one in (self._password, self._user) if len(one) > 2)
        return line(redact(words, secrets), 200)


async def _take_leave(client: aiosmtplib.SMTP) -> None:
    """Say QUIT (RFC 5321, 4.1.1.10). What was answered before stands, answered or not."""
    from aiosmtplib import SMTPException  # noqa: PLC0415 - as above

    with suppress(SMTPException):
        await client.quit(timeout=_LEAVE)


def compose(
    notification: Notification,
    *,
    sender: Address,
    to: Address,
    now: datetime,
    chart: bytes = b"",
) -> EmailMessage:
    """Return the mail; `chart` is a PNG to show in its HTML, where there is one."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("stewardmon", sender.username, sender.domain)
    message["To"] = to
    message["Subject"] = render.subject(notification, now=now)
    message["Date"] = now
    message["Message-ID"] = _message_id(notification.dedup_key, sender.domain)
    # All mails of an incident name one root, which mail programs gather by (RFC 5322, 3.6.4).
    root = _message_id(f"incident {notification.incident}", sender.domain)
    message["In-Reply-To"] = root
    message["References"] = root
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies
    message["X-Stewardmon-Event"] = notification.event.value
    if _urgent(notification):
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    message.set_content(render.text(notification, now=now))
    image = "chart" if chart else ""
    message.add_alternative(render.html(notification, now=now, chart=image), subtype="html")
    if chart:
        _attach(message, chart)
    return message


def _attach(message: EmailMessage, chart: bytes) -> None:
    page = message.get_body(("html",))
    if isinstance(page, EmailMessage):
        page.add_related(
            chart, "image", "png", cid="<chart>", filename="chart.png", disposition="inline"
        )


def _urgent(notification: Notification) -> bool:
    return notification.severity == "critical" and notification.event in (
        NotificationEvent.PAGE,
        NotificationEvent.REMINDER,
        NotificationEvent.ESCALATED,
    )


def _message_id(key: str, domain: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
    return f"<{digest}@{domain}>"


KIND: Final = Kind(settings=EmailSettings, make=EmailChannel)


def _trust(settings: EmailSettings) -> ssl.SSLContext:
    from stewardmon.channels.http_wire import trust  # noqa: PLC0415 - as in HttpSender

    return trust(str(settings.ca_file or ""))
