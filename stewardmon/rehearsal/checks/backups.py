"""Backups: there, whole, and they come back."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, line, sentence, unset


async def folder(flight: Flight) -> list[Found]:
    """Are the dumps in BACKUP_DIR fresh, as large as usual, and whole to their end?"""
    place = flight.value("BACKUP_DIR")
    if place is None:
        return unset("the backups", "BACKUP_DIR")
    return list(each("the backups", await flight.probe("backup", folder=place)))


async def vendor_backups(flight: Flight) -> list[Found]:
    """Does Supabase list a backup that is fresh?"""
    token, url = flight.value("SUPABASE_ACCESS_TOKEN"), flight.value("SUPABASE_URL")
    if token is None or url is None:
        return unset("Supabase's backups", "SUPABASE_ACCESS_TOKEN")
    project = url.partition("://")[2].partition(".")[0].partition(":")[0].partition("/")[0]
    settings: dict[str, Any] = {"project": project, "token": token}
    api = flight.value("SUPABASE_API_URL")
    if api:
        settings["api_url"] = api
    return [line("Supabase's backups", await flight.probe("backup", **settings))]


async def restored(flight: Flight) -> list[Found]:
    """Restore the newest backup into a database made for it, and drop that."""
    names = ("BACKUP_DIR", "SCRATCH_DATABASE_URL")
    place, into = map(flight.value, names)
    if place is None or into is None:
        return unset("the newest backup comes back", *names)
    source = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    given: dict[str, Any] = {"folder": place, "into": into, "source": source}
    from stewardmon.probes.restore import RestoreSettings  # noqa: PLC0415 - for this list alone
    from stewardmon.probes.restore_drill import drill  # noqa: PLC0415

    try:
        plan = RestoreSettings.model_validate(given).plan
    except ValidationError as error:
        return [("the newest backup comes back", Verdict.FAIL, sentence(error))]
    result = await drill(plan, flight.shared.clock)
    if result.wrong:
        return [("the newest backup comes back", Verdict.FAIL, one) for one in result.wrong]
    rows = sum(table.rows for table in result.tables)
    said = f"{result.backup} in {result.took:.1f} s: {rows} rows, {len(result.tables)} tables"
    return [("the newest backup comes back", Verdict.PASS, said)]
