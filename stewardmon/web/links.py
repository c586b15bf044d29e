"""Signed links for pages: one purpose, one incident, one person, a bounded life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from stewardmon.domain.notification import Delivery, NotificationEvent
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock

LIFETIME: Final = timedelta(days=7)  # longer than any incident should stay unanswered


class LinkError(StewardmonError):
    """The link cannot be used; says why in words for whoever tapped it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a link allows: this person to acknowledge this incident."""

    incident: str
    person: str


class Links:
    """Makes and reads acknowledgement links; the key is kept in the state."""

    def __init__(self, secret: str, public_url: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._signer = URLSafeTimedSerializer(secret, salt="stewardmon.ack")

    def derived(self, purpose: str) -> str:
        """Return a key for another purpose, of which this one cannot be told."""
        return sha256(f"{purpose}\0{self._secret}".encode()).hexdigest()

    def of(self, row: Delivery) -> tuple[str, str]:
        """Return the acknowledgement link (empty where there is nothing to take) and the page."""
        if row.event is NotificationEvent.REPORT:
            return "", f"{self._public_url}/reports/{row.incident.removeprefix('report-')}"
        page = f"{self._public_url}/incidents/{row.incident}"
        if not row.pages and row.event is not NotificationEvent.DRILL:
            return "", page
        return f"{self._public_url}/ack/{self.token(row.incident, row.person)}", page

    def token(self, incident: str, person: str) -> str:
        """Return the signed token of one incident for one person."""
        return self._signer.dumps([incident, person])

    def read(self, token: str) -> Claim:
        """Return what a token allows. Raises LinkError when it is forged, broken or too old."""
        try:
            (incident, person), signed_at = self._signer.loads(token, return_timestamp=True)
        except (BadSignature, ValueError, TypeError):
            raise LinkError("this link is not one that stewardmon made") from None
        # A page signed before the clock was set back is no forgery: only too old is too old.
        if self._clock.now() - signed_at > LIFETIME:
            raise LinkError("this link has expired: open the incident's page instead")
        return Claim(incident=str(incident), person=str(person))
