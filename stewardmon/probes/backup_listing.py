"""Backups as object stores and Supabase's management API list them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from html import unescape
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from stewardmon.domain.backups import Backup, group_of
from stewardmon.domain.outcome import Reason
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.expect import moment
from stewardmon.probes.rest import Answer, Client

_PAGES: Final = 20  # S3 lists a thousand objects a page, by name and not by age
# docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html: the few elements that matter here.
_ITEM: Final = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
_FIELD: Final = re.compile(r"<(Key|LastModified|Size)>([^<]*)</")
_NEXT: Final = re.compile(r"<NextContinuationToken>([^<]+)</")
_NAMES: Final = ("name", "key", "Key")
_TIMES: Final = ("updated_at", "updated", "last_modified", "LastModified", "created_at", "mtime")
_SIZES: Final = ("size", "Size")


async def read_listing(
    client: Client, url: str, headers: Mapping[str, str], progress: Progress, *, pattern: str
) -> list[Backup]:
    """Return the objects that a listing names and the pattern matches; raises Failure."""
    found: list[Backup] = []
    token = ""
    for _ in range(_PAGES):
        more = f"{'&' if '?' in url else '?'}continuation-token={quote(token, safe='')}"
        answer = await client.ask(url + more if token else url, progress, headers=headers)
        answer.expect_ok()
        if answer.body.lstrip()[:1] == b"<":
            found.extend(_of_xml(answer))
            matched = _NEXT.search(answer.text)
            token = unescape(matched[1]) if matched else ""
        else:
            found.extend(_of_json(answer))
            token = ""
        if not token:
            break
    return [one for one in found if fnmatchcase(PurePosixPath(one.name).name, pattern)]


async def read_supabase(client: Client, url: str, token: str, progress: Progress) -> list[Backup]:
    """Return the backups of a Supabase project; raises Failure.

    Where point-in-time recovery is on, the latest restorable moment counts as a backup.
    """
    answer = await client.ask(url, progress, headers={"Authorization": f"Bearer {token}"})
    document = answer.document()
    entries = document.get("backups") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Failure(Reason.BODY, f"{answer.where} has no list under `backups`")
    found = [one for entry in entries if isinstance(entry, dict) for one in _scheduled(entry)]
    physical = document.get("physical_backup_data")
    physical = physical if isinstance(physical, dict) else {}
    latest = physical.get("latest_physical_backup_date_unix")
    if document.get("pitr_enabled") and isinstance(latest, int) and latest > 0:
        at = datetime.fromtimestamp(latest, UTC)
        found.append(Backup(name="point-in-time recovery", at=at, group="pitr", whole=True))
    return found


def _scheduled(entry: Mapping[str, Any]) -> Iterator[Backup]:
    at = moment(entry.get("inserted_at"))
    if at is None:
        return
    status = str(entry.get("status") or "unknown")
    if status in {"PENDING", "ARCHIVED", "REMOVED"}:
        return  # still being made, or no longer there to be restored
    whole = status == "COMPLETED"
    yield Backup(
        name=f"Supabase's backup of {at:%Y-%m-%d %H:%M}",
        at=at,
        form="scheduled",
        whole=whole,
        reason=Reason.OK if whole else Reason.INCOMPLETE,
        why="" if whole else f"its status is {status[:30]}",
    )


def _of_xml(answer: Answer) -> Iterator[Backup]:
    if "<ListBucketResult" not in answer.text:
        raise Failure(Reason.BODY, f"{answer.where} is no listing of objects")
    for item in _ITEM.finditer(answer.text):
        fields = {name: unescape(value) for name, value in _FIELD.findall(item[1])}
        yield from _object(fields.get("Key"), fields.get("LastModified"), fields.get("Size"))


def _of_json(answer: Answer) -> Iterator[Backup]:
    document = answer.document()
    if isinstance(document, dict):
        lists = (document.get(key) for key in ("items", "objects", "contents", "Contents"))
        document = next((one for one in lists if isinstance(one, list)), None)
    if not isinstance(document, list):
        raise Failure(Reason.BODY, f"{answer.where} is no listing of objects")
    for entry in document:
        if not isinstance(entry, dict):
            continue
        metadata = entry.get("metadata")
        about: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        yield from _object(
            _first(entry, _NAMES), _first(entry, _TIMES), _first({**entry, **about}, _SIZES)
        )


def _object(name: Any, at: Any, size: Any) -> Iterator[Backup]:
    made = moment(at) or _dated(at)
    if not isinstance(name, str) or made is None or name.endswith("/"):
        return
    bytes_ = int(size) if str(size).isdecimal() and len(str(size)) < 19 else None
    yield Backup(name=name, at=made, size=bytes_, group=group_of(name))


def _first(entry: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _dated(text: Any) -> datetime | None:
    """Return the moment of an HTTP date, as nginx writes it; None where it is none."""
    try:
        at = parsedate_to_datetime(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
