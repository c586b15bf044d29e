"""Test messages sent from the command line, without a daemon: does this channel arrive at all?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stewardmon.channels import KINDS
from stewardmon.clock import SystemClock
from stewardmon.domain.notification import Notification, NotificationEvent
from stewardmon.errors import DeliveryError, UsageError
from stewardmon.ports import Context

if TYPE_CHECKING:
    from stewardmon.config.values import Config

TIMEOUT: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one test message goes."""

    person: str
    name: str
    timezone: str
    channel: str
    to: str
    level: int
    role: str


def targets(
    config: Config, *, level: int, policy: str, channel: str, to: str
) -> tuple[Target, ...]:
    """Return where a drill goes: a level's contacts now, or everybody's over one channel.

    Raises UsageError where there is no such channel, policy or level, or nobody in it.
    """
    roster = config.roster
    if channel and channel not in roster.channels:
        known = ", ".join(sorted(roster.channels))
        raise UsageError(f"there is no channel {channel!r}; there are {known}")
    number, role = (0, "") if channel else (level, "")
    people = tuple(roster.people.values())
    if not channel:
        chosen = config.policies.get(policy) if policy else next(iter(config.policies.values()))
        levels = chosen.levels if chosen else ()
        found = next((one for one in levels if one.number == level), None)
        if found is None:
            raise UsageError(f"there is no level {level} of policy {policy or 'in oncall.yml'!r}")
        role = found.role
        now = SystemClock().now()
        people = tuple(one for target in found.page if (one := roster.find(target, now)))
    reached = tuple(
        Target(
            person=person.id,
            name=person.name,
            timezone=person.timezone.key,
            channel=contact.channel,
            to=contact.to,
            level=number,
            role=role,
        )
        for person in people
        for _, contact in roster.contacts(person)
        if channel in {"", contact.channel} and to in {"", contact.to}
    )
    if not reached and channel and to:
        reached = (
            Target(person=to, name=to, timezone="UTC", channel=channel, to=to, level=0, role=""),
        )
    if not reached:
        raise UsageError("nobody would get this: no person has such a contact")
    return reached


async def send_tests(
    config: Config, found: Sequence[Target], *, by: str
) -> list[tuple[Target, str]]:
    """Send one message to each target; return what was wrong with each, "" where it was taken."""
    context = Context(clock=SystemClock())
    names = {one.channel for one in found}
    channels = {
        spec.name: KINDS[spec.kind].make(spec.settings, context)
        for spec in config.channels
        if spec.name in names
    }
    results = []
    try:
        for target in found:
            wrong = ""
            try:
                async with asyncio.timeout(TIMEOUT):
                    await channels[target.channel].send(_message(target, by), to=target.to)
            except DeliveryError as error:
                wrong = str(error)
            except TimeoutError:
                wrong = f"no answer within {TIMEOUT:.0f} s"
            results.append((target, wrong))
    finally:
        for channel in channels.values():
            await channel.close()
    return results


def previews(config: Config, found: Sequence[Target], *, by: str) -> list[tuple[Target, str]]:
    """Return what each target would read or hear, in the form that its channel gives it."""
    from stewardmon.channels.preview import form

    kinds = {spec.name: spec.kind for spec in config.channels}
    return [
        (one, form(kinds[one.channel], message, now=message.at))
        for one in found
        for message in [_message(one, by)]
    ]


def _message(target: Target, by: str) -> Notification:
    now = SystemClock().now()
    ident = f"drill-{now:%Y%m%dT%H%M%S%f}"
    return Notification(
        event=NotificationEvent.DRILL,
        incident=ident,
        title="Drill: does this reach you?",
        severity="info",
        level=target.level,
        role=target.role,
        person=target.person,
        person_name=target.name,
        timezone=target.timezone,
        to=target.to,
        dedup_key=f"{ident}:{target.person}.{target.channel}.{target.to}",
        at=now,
        since=now,
        summary=f"{by} tests whether pages reach you over {target.channel}. Nothing is broken.",
        actor=by,
    )
