"""amtool is told the same by stewardmon as by Debian's Alertmanager: line by line, one command
after the other on both, with the same routes and inhibition."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path
from typing import Any, Final

from tests.support.live import listening
from tests.support.peers import Start, amtool, needs_peer

pytestmark = needs_peer("prometheus-alertmanager")

# What tests.support.live routes, said to an Alertmanager.
CONFIG: Final = """
route:
  receiver: matrix
  group_by: [alertname]
  group_wait: 0s
  routes:
    - {receiver: calm, group_by: [alertname, job], matchers: ['severity="warning"']}
    - {receiver: calm, matchers: ['team=~"a|b"']}
receivers: [{name: matrix}, {name: calm}]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [instance]
"""
# `{1}` is the first silence's id, and so on.
ALERTS: Final = """
alert query
alert query -o extended
alert add Down node=n1 instance=i1 severity=critical --start=2026-11-01T09:00:00Z
alert add Slow node=n1 instance=i1 severity=warning --start=2026-11-01T10:00:00Z
alert add Disk node=n2 team=a --start=2026-11-01T11:00:00Z --annotation=summary='it is "full"' --generator-url=http://g/x
alert add noname=1 other=grün --start=2026-11-01T12:00:00Z
alert add Comma 'x=a, b=c' empty= --start=2026-11-01T13:00:00Z
alert add Twice a=b a=c --start=2026-11-01T14:00:00Z
alert add Over --end=2020-01-01T00:00:00Z
alert add Future --start=2099-01-01T00:00:00Z
alert add Bad bad-name=1
alert add Bad --end=yesterday
alert add
alert query
alert query -o extended
alert query -o json
alert query Down
alert query alertname=~D.+ node!=n2
alert query node=n1 severity=critical
alert query 'node!~"n.*"'
alert query 'x="a, b=c"'
alert query 'x=a, b=c'
alert query empty=
alert query =odd
alert query nothing=here
alert query --receiver=calm
alert query --receiver=c.*
alert query --receiver=al
alert query --receiver=(
alert query --inhibited
alert query --inhibited -o json
alert query --silenced
alert query --active --inhibited --silenced --unprocessed -o extended
alert query --inhibited --receiver=matrix
"""
SILENCES: Final = """
silence query
silence add Down
silence add -a me -c 'one "comment", ünï' Down
silence add -a you -c two -d 2h alertname=Disk node=n2
silence add -a x -c x alertname=~'D.+|Slow' 'node!=n9'
silence add -a x -c x -d 3h alertname=Disk 'team!~"b|c"'
silence add -a x -c x --start=2030-01-02T00:00:00Z --end=2030-02-01T00:00:00Z node=future
silence add -a x -c x --start=2030-01-01T00:00:00Z --end=2030-03-01T00:00:00Z node=future
silence add -a x -c x --start=2030-01-02T00:00:00Z --end=2030-01-01T00:00:00Z a=b
silence add -a x -c x --end=2020-01-01T00:00:00Z a=b
silence add -a x -c x -d 0s a=b
silence add -a x -c x -d ten a=b
silence add -a x -c x
silence add -a x -c x a=
silence add -a x -c x 'a=~.*'
silence add -a x -c x 'a=~\\d+(?i)x' -d 4h
silence add -a x -c x 'a="with, comma"' 'b=c=d' -d 5h
silence query
silence query -q
silence query -o json
silence query Down
silence query alertname=Disk
silence query alertname=Disk node=n2
silence query alertname=~D.+
silence query 'alertname=~"D.+|Slow"'
silence query node!=n9
silence query node=n9
silence query 'team!~"b|c"'
silence query --created-by=you
silence query --within=90m
silence query --expired
alert query
alert query --silenced
alert query --inhibited
alert query --silenced --inhibited
silence expire
silence expire {3}
silence expire {1} {4}
silence expire {1}
silence expire 00000000-0000-4000-8000-000000000000
silence query --expired
silence query --expired --within=1h -q
silence update -d 9h {2}
silence update -c longer -o json {2}
silence update --end=2040-01-01T00:00:00Z {2}
silence update --start=2029-01-01T00:00:00Z --end=2028-01-01T00:00:00Z {2}
silence update --start=2031-01-01T00:00:00Z --end=2032-01-01T00:00:00Z {5}
silence update -d 2h {1}
silence update
silence update 00000000-0000-4000-8000-000000000000
silence query -q
alert query --silenced
silence expire {2} {5}
silence query -q
"""
ABOUT: Final = """
config routes show
config routes test severity=warning
config routes test severity=critical team=b
config routes test --tree team=a other=1
config routes test --verify.receivers=calm severity=warning
config routes test --verify.receivers=matrix severity=warning
config routes test
config routes test odd
alert query -v --timeout=5s alertname=none
"""
UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?")
# Alertmanager's own words of a refusal; ours say more. amtool has said enough with its exit code.
REFUSAL: Final = re.compile(r"\[[A-Z]+ /\S+?\]\[\d+\].*|response status code does not.*", re.DOTALL)


class Side:
    """One of the two that are asked, and the silences it has handed out."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.idents: list[str] = []

    async def tell(self, line: str) -> tuple[int, Any, str]:
        idents = dict(enumerate(self.idents, 1))
        told = re.sub(r"\{(\d+)\}", lambda found: idents[int(found[1])], line)
        ran = await asyncio.to_thread(amtool, *shlex.split(told), url=self.url)
        return ran.returncode, self._plain(ran.stdout), REFUSAL.sub("refused", ran.stderr).strip()

    def _plain(self, text: str) -> Any:
        for ident in UUID.findall(text):
            if ident not in self.idents:
                self.idents.append(ident)
        text = UUID.sub(lambda found: f"id {self.idents.index(found[0]) + 1}", text)
        text = re.sub(r"\b[0-9a-f]{16}\b", "a fingerprint", MOMENT.sub("then", text))
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return sorted(found, key=str) if isinstance(found, list) else found


async def test_every_command_has_the_same_answer(tmp_path: Path, start_alertmanager: Start) -> None:
    theirs = Side(start_alertmanager(CONFIG).url)
    async with listening(tmp_path) as running:
        ours = Side(running.url)
        for line in (ALERTS + SILENCES + ABOUT).strip().splitlines():
            expected, told = await asyncio.gather(theirs.tell(line), ours.tell(line))
            if "--expired" in line:
                # Both order by the end, and the two daemons ended them in seconds of their own.
                expected, told = _sorted(expected), _sorted(told)
            assert told == expected, line


async def test_silences_that_were_kept_elsewhere_are_imported(
    tmp_path: Path, start_alertmanager: Start
) -> None:
    theirs = Side(start_alertmanager(CONFIG).url)
    async with listening(tmp_path) as running:
        ours = Side(running.url)
        kept = tmp_path / "silences.json"
        for line in ("-d 1h a=b", "-d 2h 'a=~x.*'", "-d 3h 'a!=b' c=d", "-d 4h 'a!~b' c=d"):
            await theirs.tell(f"silence add -a me -c why {line}")
        ran = await asyncio.to_thread(amtool, "silence", "query", "-o", "json", url=theirs.url)
        kept.write_text(ran.stdout)
        code, _, wrong = await ours.tell(f"silence import --force {kept}")
        assert (code, wrong) == (0, "")
        for shown in ("", "-o extended", "c=d"):
            old = await theirs.tell(f"silence query {shown}")
            new = await ours.tell(f"silence query {shown}")
            assert _unnumbered(new) == _unnumbered(old)


def _sorted(told: tuple[int, Any, str]) -> tuple[int, Any, str]:
    code, out, wrong = told
    return code, sorted(map(str.rstrip, out.splitlines())) if isinstance(out, str) else out, wrong


def _unnumbered(told: tuple[int, Any, str]) -> list[str]:
    return [re.sub(r"id \d+ *", "id ", str(one)) for one in told]
