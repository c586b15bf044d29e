"""`stewardmon oncall` on files alone, as CI runs it: who at an instant, the calendar, its lints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stewardmon.cli.oncall import command
from stewardmon.errors import UsageError
from tests.support.live import NO_RULES, NOTHING_TO_WATCH, ONCALL

# Two people by weeks of Berlin, the day shift of one, and somebody who stands in.
ROTA = """
channels: {pager: {kind: webhook, url: "http://127.0.0.1:9/"}}
people:
  ada:  {name: Ada, timezone: Europe/Berlin, contacts: [{channel: pager, to: ada}]}
  bob:  {name: Bob, timezone: Europe/Berlin, contacts: [{channel: pager, to: bob}]}
  cleo: {name: "Cleo, Dr.", timezone: America/New_York, contacts: [{channel: pager, to: cleo}]}
rotations:
  primary:
    people: [ada, bob]
    timezone: Europe/Berlin
    handover: "Mon 09:00"
    start: 2026-10-19
overrides:
  - {rotation: primary, person: cleo, from: "2026-10-27T18:00:00Z", to: "2026-10-28T06:00:00Z"}
policies:
  matrix:
    levels:
      - {level: 1, role: Developer, after: 0m, page: [primary]}
      - {level: 2, role: Lead, after: 30m, page: [cleo]}
routes:
  - {match: {severity: warning}, policy: matrix, levels: [1]}
  - {match: {severity: critical}, policy: matrix}
"""
OFFICE = ROTA.replace(
    "    start: 2026-10-19\n",
    '    start: 2026-10-19\n    hours: "Mon-Tue 09:00-17:00"\n',
)


def run(folder: Path, *arguments: str, oncall: str = ROTA) -> Result:
    files = {"probes.yml": NOTHING_TO_WATCH, "alerts.yml": NO_RULES, "oncall.yml": oncall}
    for name, text in files.items():
        (folder / name).write_text(text)
    return CliRunner().invoke(command, [*arguments, "--rules", str(folder)], standalone_mode=False)


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-10-25T02:30:00Z", "ada"),  # the night on which Berlin's clocks went back
        ("2026-10-26T07:59:59Z", "ada"),  # 08:59:59 in Berlin
        ("2026-10-26T08:00:00Z", "bob"),  # 09:00 by winter time; by summer time it was 07:00 UTC
        ("2026-10-27T17:59:59Z", "bob"),
        ("2026-10-27T18:00:00Z", "cleo"),
        ("2026-10-28T06:00:00Z", "bob"),
        ("2026-10-26T09:00:00+01:00", "bob"),
    ],
)
def test_who_has_it_at_an_instant(tmp_path: Path, at: str, person: str) -> None:
    ran = run(tmp_path, "who", "--at", at, "--alert", "severity=critical", "--json")
    pages = json.loads(ran.output)["pages"]
    assert [(one["level"], one["person"]) for one in pages] == [(1, person), (2, "cleo")]
    assert ran.return_value == 0


def test_a_warning_stops_where_its_route_says(tmp_path: Path) -> None:
    ran = run(tmp_path, "who", "--at", "2026-10-26T08:00:00Z", "--alert", "severity=warning")
    assert "L1 Developer, at once: bob (pager bob) [primary]" in ran.output
    assert "L2" not in ran.output


def test_nobody_to_page_is_said_and_is_a_failure(tmp_path: Path) -> None:
    ran = run(tmp_path, "who", "--alert", "severity=none")
    assert "no route wants this alert: nobody would be paged" in ran.output
    assert ran.return_value == 1
    gap = run(
        tmp_path, "who", "--at", "2026-10-28T12:00:00Z", "--alert", "severity=critical",
        oncall=OFFICE,
    )  # fmt: skip
    assert "L1 Developer, at once: nobody [primary]" in gap.output
    assert gap.return_value == 1


@pytest.mark.parametrize("arguments", [("who", "--at", "soon"), ("who", "--alert", "severity")])
def test_what_cannot_be_asked_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = run(tmp_path, *arguments)
    assert isinstance(ran.exception, UsageError)
    assert "\n" not in str(ran.exception)


def test_the_calendar_as_text_shows_hand_overs_and_stand_ins(tmp_path: Path) -> None:
    ran = run(tmp_path, "calendar", "--from", "2026-10-26T08:00:00Z", "--weeks", "2")
    lines = [line for line in ran.output.splitlines() if "2026" in line or "Oct" in line]
    assert any("Cleo" in line for line in lines)
    assert ran.output.count("Bob") >= 2
    assert "Ada" in ran.output


def test_the_calendar_as_a_page_escapes_names(tmp_path: Path) -> None:
    named = ROTA.replace('"Cleo, Dr."', '"<b>Cleo</b>"')
    ran = run(
        tmp_path, "calendar", "--from", "2026-10-26T08:00:00Z", "--format", "html", oncall=named
    )
    assert "<html" in ran.output
    assert "&lt;b&gt;Cleo" in ran.output
    assert "<b>Cleo" not in ran.output


def test_the_calendar_as_icalendar_is_read_by_others(tmp_path: Path) -> None:
    icalendar = pytest.importorskip("icalendar")
    ran = run(
        tmp_path, "calendar", "--from", "2026-10-26T08:00:00Z", "--weeks", "2", "--format", "ics"
    )
    events = icalendar.Calendar.from_ical(ran.stdout).walk("VEVENT")
    shifts = [
        (f"{event['DTSTART'].dt:%d %H:%M}", f"{event['DTEND'].dt:%d %H:%M}", str(event["SUMMARY"]))
        for event in events
    ]
    assert shifts[:3] == [
        ("26 08:00", "27 18:00", "primary: Bob"),
        ("27 18:00", "28 06:00", "primary: Cleo, Dr."),
        ("28 06:00", "02 08:00", "primary: Bob"),
    ]
    assert len({str(event["UID"]) for event in events}) == len(events)


def test_what_is_missing_is_said_and_is_a_failure(tmp_path: Path) -> None:
    ran = run(tmp_path, "calendar", "--from", "2026-10-26T08:00:00Z", oncall=OFFICE)
    assert "nobody has primary from Mon 2026-10-26 16:00 UTC" in ran.output + ran.stderr
    assert ran.return_value == 1
    wrong = run(tmp_path, "calendar", "--rotation", "secondary")
    assert "there is no rotation 'secondary'; there are primary" in str(wrong.exception)


def test_without_a_rotation_there_is_no_calendar(tmp_path: Path) -> None:
    pager = ONCALL.replace("${PAGER_URL}", "http://127.0.0.1:9/")
    assert "there are no rotations" in run(tmp_path, "calendar", oncall=pager).output
