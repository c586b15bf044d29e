"""A message as plain text: what failed and since when first, then what to do, then what is known.

Laid out here and not by a template: it is part of every webhook, and a daemon that pages over those
alone needs no template engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stewardmon.channels.view import View


def plain(m: View) -> str:
    """Return the message, its sections parted by empty lines, with a newline at its end."""
    sections = (
        (m.headline, m.notice, m.late, m.told),
        (m.summary,),
        (m.description,),
        _facts(m),
        _advice(m),
        _listed("Evidence:", m.evidence),
        _alerts(m),
    )
    said = ["\n".join(line for line in section if line) for section in sections]
    return "\n\n".join(section for section in said if section).strip() + "\n"


def _facts(m: View) -> Iterator[str]:
    level = f"{m.level} ({m.reader})" if m.reader else m.level
    pairs = (
        ("Value:", m.what),
        ("Course:", m.sparkline),
        ("Since:", m.since),
        ("Level:", level if m.level else ""),
        ("Next:", m.next_step),
        ("Acknowledge:", m.ack_url),
        ("Report:" if m.event == "report" else "Incident:", m.incident_url),
    )
    return (f"{name:<14}{value}" for name, value in pairs if value)


def _advice(m: View) -> Iterator[str]:
    if not (m.runbook or m.runbook_url):
        return
    yield "What to check:"
    yield from (f"  - {step}" for step in m.runbook)
    if m.runbook_url:
        yield f"  Runbook: {m.runbook_url}"


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"  - {one}" for one in items]
    return iter([title, *lines] if lines else ())


def _alerts(m: View) -> Iterator[str]:
    yield from _listed("Alerts:", m.alerts)
    if m.alerts and m.more_alerts:
        yield f"  … and {m.more_alerts} more"
