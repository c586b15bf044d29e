"""Which known holes do an app's dependencies have? Read from npm's own audit and lock files.

The framework's holes that let strangers in stand here by version, because an audit is only as new
as the registry that answered it: GHSA-f82v-jwr5-mffw (CVE-2025-29927, the middleware's checks are
skipped) and GHSA-9qr9-h5gf-34mp with GHSA-fv66-9v8q-g76r (CVE-2025-55182, a request runs code).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stewardmon.domain.redact import excerpt
from stewardmon.errors import UsageError

LEVELS: Final = ("info", "low", "moderate", "high", "critical")
_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(-[0-9A-Za-z.-]+)?(?:\+\S*)?")
Version = tuple[int, int, int]
_BUNDLERS: Final[Mapping[tuple[int, ...], Version]] = {
    (19, 0): (19, 0, 1),
    (19, 1): (19, 1, 2),
    (19, 2): (19, 2, 1),
}

# (package, hole, {(major, minor) or major: the first version of that line without it})
_HOLES: Final[tuple[tuple[str, str, Mapping[tuple[int, ...], Version]], ...]] = (
    (
        "next",
        "CVE-2025-29927: a header skips the middleware and its sign-in",
        {
            (11,): (12, 3, 5),
            (12,): (12, 3, 5),
            (13,): (13, 5, 9),
            (14,): (14, 2, 25),
            (15, 0): (15, 2, 3),
            (15, 1): (15, 2, 3),
            (15, 2): (15, 2, 3),
        },
    ),
    (
        "next",
        "CVE-2025-55182: one request runs code on the server",
        {
            (15, 0): (15, 0, 5),
            (15, 1): (15, 1, 9),
            (15, 2): (15, 2, 6),
            (15, 3): (15, 3, 6),
            (15, 4): (15, 4, 8),
            (15, 5): (15, 5, 7),
            (16, 0): (16, 0, 7),
        },
    ),
    *(
        (
            f"react-server-dom-{bundler}",
            "CVE-2025-55182: one request runs code on the server",
            _BUNDLERS,
        )
        for bundler in ("webpack", "turbopack", "parcel")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """One known vulnerability of a dependency."""

    package: str
    level: str
    text: str


def read_audit(report: Any) -> tuple[Hole, ...]:
    """Return the holes of `npm audit --json`, npm 7's form or npm 6's. Raises UsageError."""
    if not isinstance(report, dict):
        raise UsageError("this is no report of npm audit: it is no JSON object")
    error = report.get("error")
    if error:
        said = error.get("summary") if isinstance(error, dict) else error
        said = said or report.get("message")  # where its registry cannot be reached
        raise UsageError(f"npm could not audit: {excerpt(str(said or 'it does not say why'))}")
    found = report.get("vulnerabilities")
    if isinstance(found, dict):
        return tuple(_of_seven(name, one) for name, one in found.items())
    found = report.get("advisories")
    if isinstance(found, dict):
        return tuple(_of_six(one) for one in found.values())
    raise UsageError(
        "this is no report of npm audit: it has neither vulnerabilities nor advisories"
    )


def _of_seven(name: str, value: Any) -> Hole:
    entry = value if isinstance(value, dict) else {}
    via = entry.get("via")
    titles = [
        str(one.get("title", "")) if isinstance(one, dict) else f"by way of {one}"
        for one in (via if isinstance(via, list) else [])
    ]
    mend = "npm audit fix mends it" if entry.get("fixAvailable") else "there is no fix yet"
    text = f"{excerpt(name, 60)} {excerpt(str(entry.get('range', '')), 40)}: "
    text += f"{excerpt(titles[0] if titles else 'no title', 100)}; {mend}"
    return Hole(package=name, level=_level(entry.get("severity")), text=text)


def _of_six(value: Any) -> Hole:
    entry = value if isinstance(value, dict) else {}
    name = str(entry.get("module_name", "?"))
    title = excerpt(str(entry.get("title", "no title")), 100)
    vulnerable = excerpt(str(entry.get("vulnerable_versions", "")), 40)
    text = f"{excerpt(name, 60)} {vulnerable}: {title}"
    return Hole(package=name, level=_level(entry.get("severity")), text=text)


def _level(value: Any) -> str:
    """Return the severity; one that nobody knows counts as the worst."""
    return value if value in LEVELS else "critical"


def read_lock(lock: Any) -> tuple[Hole, ...]:
    """Return the framework's holes by the versions of a package-lock.json. Raises UsageError."""
    if not isinstance(lock, dict):
        raise UsageError("this is no package-lock.json: it is no JSON object")
    packages = lock.get("packages", lock.get("dependencies"))
    if not isinstance(packages, dict):
        raise UsageError("this is no package-lock.json: it has neither packages nor dependencies")
    return tuple(_holes(packages))


def _holes(packages: Mapping[str, Any]) -> Iterator[Hole]:
    for path, entry in packages.items():
        name = path.rpartition("node_modules/")[2]
        version = entry.get("version") if isinstance(entry, dict) else None
        if not isinstance(version, str):
            continue
        for package, about, mended in _HOLES:
            if name == package and (first := first_mended(version, mended)) is not None:
                mends = ".".join(map(str, first))
                text = f"{name} {excerpt(version, 30)}: {about}; {mends} has it not"
                yield Hole(package=name, level="critical", text=text)


def first_mended(version: str, mended: Mapping[tuple[int, ...], Version]) -> Version | None:
    """Return the version that ends the hole which this one has, None where it has none."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    major, minor, patch = (int(match[part]) for part in (1, 2, 3))
    first = mended.get((major, minor), mended.get((major,)))
    if first is None:
        return None
    below = (major, minor, patch) < first or ((major, minor, patch) == first and bool(match[4]))
    return first if below else None


def worst(holes: tuple[Hole, ...], *, level: str) -> tuple[Hole, ...]:
    """Return the holes of a level and above, worst first."""
    least = LEVELS.index(level)
    bad = [one for one in holes if LEVELS.index(one.level) >= least]
    return tuple(sorted(bad, key=lambda one: (-LEVELS.index(one.level), one.package)))
