"""The statuspage probe: what a vendor says of itself. It annotates; our own probes decide.

Series: stewardmon_statuspage_indicator (0 none, 1 minor, 2 major, 3 critical),
stewardmon_statuspage_component_up{component}, stewardmon_statuspage_incidents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.rest import Answer, Client, failed, summed
from stewardmon.settings import AfterValidator, Field, FilePath, Settings

_SUMMARY: Final = "/api/v2/summary.json"  # developer.statuspage.io
_LEVELS: Final = {"none": 0.0, "maintenance": 0.0, "minor": 1.0, "major": 2.0, "critical": 3.0}
_FINE: Final = frozenset({"operational", "under_maintenance"})
_SHOWN: Final = 20
_OVER: Final = frozenset({"resolved", "postmortem", "completed"})


def _base(value: str) -> str:
    parse_url(value)
    return value.rstrip("/").removesuffix(_SUMMARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatuspageSettings(Settings):
    """A status page, and those of its components that matter; all, where none is named."""

    url: Annotated[str, AfterValidator(_base)] = "https://status.openai.com"
    components: tuple[str, ...] = Field(default=(), max_length=_SHOWN)
    verify: bool | FilePath = True


class StatuspageProbe:
    """Reads one status page."""

    def __init__(self, settings: StatuspageSettings, *, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        self._client = Client(user_agent=user_agent, verify=settings.verify)

    async def ask(self) -> Outcome:
        """Ask once: degraded where the vendor tells of trouble with what matters."""
        progress = self.progress = Progress()
        try:
            answer = await self._client.ask(self.settings.url + _SUMMARY, progress)
            page = _page(answer)
        except Failure as failure:
            return failed(failure, progress)
        components = dict(_components(page, self.settings.components))
        ill = [name for name, status in components.items() if status not in _FINE]
        incidents = tuple(_incidents(page))
        lines = (*(f"{name}: {_words(components[name])}" for name in ill), *incidents)
        indicator = _LEVELS.get(str(page["status"].get("indicator")), 0.0)
        troubled = bool(ill) if self.settings.components else bool(ill or incidents or indicator)
        said = excerpt(str(page["status"].get("description") or "nothing is reported"))
        return Outcome(
            state=State.DEGRADED if troubled else State.UP,
            reason=Reason.PROVIDER if troubled else Reason.OK,
            detail=f"{_name(page)} says: {summed(lines) if lines else said}",
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                Measurement("stewardmon_statuspage_indicator", indicator),
                Measurement("stewardmon_statuspage_incidents", float(len(incidents))),
                *(
                    Measurement(
                        "stewardmon_statuspage_component_up",
                        float(status in _FINE),
                        {"component": name},
                    )
                    for name, status in components.items()
                ),
            ),
            findings=lines,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


def _page(answer: Answer) -> Mapping[str, Any]:
    document = answer.document()
    if not isinstance(document, dict) or not isinstance(document.get("status"), dict):
        raise Failure(Reason.BODY, f"{answer.where} is no status page's summary")
    return document


def _components(page: Mapping[str, Any], wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    entries = [one for one in _list(page, "components") if isinstance(one.get("name"), str)]
    named = {excerpt(one["name"], 60): str(one.get("status") or "unknown") for one in entries}
    if wanted:
        # One that the page no longer names is told, not passed over.
        yield from ((name, named.get(name, "not on the page")) for name in wanted)
    else:
        yield from list(named.items())[:_SHOWN]


def _incidents(page: Mapping[str, Any]) -> Iterator[str]:
    for one in _list(page, "incidents")[:_SHOWN]:
        if str(one.get("status")) not in _OVER:
            yield f"{excerpt(str(one.get('name')))} ({excerpt(str(one.get('status')), 30)})"


def _list(page: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = page.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _name(page: Mapping[str, Any]) -> str:
    about = page.get("page")
    name = about.get("name") if isinstance(about, dict) else None
    return excerpt(name, 60) if isinstance(name, str) and name else "the vendor"


def _words(status: str) -> str:
    return excerpt(status, 40).replace("_", " ")


def make(settings: StatuspageSettings, shared: Context) -> StatuspageProbe:
    """Build the probe."""
    return StatuspageProbe(settings, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=StatuspageSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=lambda settings: parse_url(settings.url).shown,
)
