"""stewardmon itself has a bug while it matters: it costs what it is about, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stewardmon.domain.alert import Alert
from stewardmon.domain.muting import Mute
from stewardmon.domain.notices import Facts
from tests.support.daemon import running

BOTH = """
alerts:
  - {name: "Database Issues", condition: "db_connection_failed", duration: "5s"}
  - {name: "AI Service Down", condition: "openai_api_error", duration: "5s"}
"""


async def test_a_page_whose_facts_cannot_be_found_goes_out_without_them() -> None:
    async with running(alerts=BOTH) as daemon:

        def broken(alert: Alert, /, *, drawn: bool = True) -> Facts:
            raise ZeroDivisionError

        daemon.running.live.responder.facts = broken
        daemon.platform.database.goes_down()
        await daemon.after(seconds=8)
        assert daemon.said == ["page dev-a"]


class Doubtful:
    """A muting that can never say why an alert of one rule is muted."""

    def __init__(self, name: str) -> None:
        self.name = name

    def why(self, alert: Alert, *, now: object) -> Mute | None:
        if alert.name == self.name:
            raise KeyError(alert.name)
        return None

    def among(self, firing: Mapping[str, Alert], *, now: object) -> dict[str, Mute]:
        raise KeyError(self.name)

    def saw(self, changed: Sequence[Alert], *, gone: Sequence[str] = ()) -> None:
        return None


async def test_an_alert_that_cannot_be_judged_keeps_no_other_back() -> None:
    async with running(alerts=BOTH) as daemon:
        daemon.running.live.responder.muting = Doubtful("Database Issues")
        daemon.platform.database.goes_down()
        daemon.platform.openai.goes_down()
        await daemon.after(seconds=8)
        titles = {one.title.split(" (")[0] for _, _, one in daemon.pager.sent}
        assert "AI Service Down" in titles
