"""A real SMTP server on loopback (aiosmtpd) that keeps what it gets and refuses when told."""

from __future__ import annotations

import asyncio
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class _Session(SMTP):
    """One connection that says when it is over."""

    def __init__(self, handler: object, ended: asyncio.Event, options: dict[str, Any]) -> None:
        super().__init__(handler, hostname="mail.test", enable_SMTPUTF8=True, **options)
        self._ended = ended

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._ended.set()


class MailReceiver:
    """`async with MailReceiver() as server`; `inbox` holds the mails as parsed messages."""

    def __init__(self, *, implicit_tls: ssl.SSLContext | None = None, **options: Any) -> None:
        self.inbox: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.sender_answer = ""
        self.recipient_answer = ""
        self.data_answer = ""
        self.hangs = False
        self.keeps_from_leaving = False
        self.encrypted: list[bool] = []
        self._implicit_tls = implicit_tls
        self._options = options
        self._sessions: list[asyncio.Event] = []
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Session(self, self._ended(), self._options),
            "127.0.0.1",
            0,
            ssl=self._implicit_tls,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for ended in self._sessions:
            await ended.wait()

    def _ended(self) -> asyncio.Event:
        self._sessions.append(asyncio.Event())
        return self._sessions[-1]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender_answer or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        if self.data_answer:
            return self.data_answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.inbox.append(message)
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return "250 OK queued as 42"

    async def handle_QUIT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.keeps_from_leaving:
            await asyncio.Event().wait()
        return "221 Bye"
