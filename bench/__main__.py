"""`make bench`: every benchmark, most of them short, in turn; writes bench/RESULTS.md.

    python -m bench [NAME…] [--rounds 3] [--seconds 10] [--out FILE]

Each runs as a process of its own, so that none measures another's leftovers; the exit code is 1
when one of them failed or was out of bounds. Longer runs and further arguments:
`python -m bench.NAME --help`.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.figures import Figure, number, read
from bench.kernel import machine
from stewardmon import __version__
from stewardmon.clock import SystemClock

OUT: Final = Path(__file__).with_name("RESULTS.md")
PEERS: Final = (
    "prometheus", "prometheus-blackbox-exporter", "prometheus-alertmanager", "vmalert",
)  # fmt: skip
#: Those that name their figures; the others print, and their exit code says what is to be said.
WITH_FIGURES: Final = frozenset({"start", "rules", "stack", "scale", "replay", "web"})


def commands(seconds: float) -> dict[str, list[str]]:
    """Return each benchmark's arguments for runs of about so many seconds."""
    some = f"{seconds:g}"
    kills = max(2, round(seconds / 3))
    found = {
        "start": ["--seconds", some],
        "crash": ["--kills", str(kills), "--seed", "1"],
        "probes": ["--seconds", f"{seconds / 10:g}"],
        "rules": ["--seconds", f"{max(1, round(seconds))}"],
        "stack": ["--settle", some, "--seconds", some],
        "scale": ["--settle", f"{max(60.0, seconds):g}", "--seconds", some,
                  "--svg", str(OUT.with_name("scale.svg"))],
        "replay": ["--days", f"{seconds / 2:g}"],
        "storm": [],  # its bounds are those of 10,000 alerts
        "storm_rules": [],
    }  # fmt: skip
    if (OUT.parent / "web.py").exists():
        found["web"] = []
    return found


def main() -> int:
    """Run them; write what they found; say which failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=1, help="of those that name their figures")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("only", nargs="*", help="names, all where none is given")
    wanted = parser.parse_args()
    failed: list[str] = []
    found: dict[str, list[list[Figure]]] = {}
    said: dict[str, str] = {}
    for name, arguments in commands(wanted.seconds).items():
        if wanted.only and name not in wanted.only:
            continue
        for turn in range(wanted.rounds if name in WITH_FIGURES else 1):
            print(f"── {name} {turn + 1}", flush=True)
            good, figures, text = _run(name, arguments)
            if not good and name not in failed:
                failed.append(name)
            if figures:
                found.setdefault(name, []).append(figures)
            elif text:
                said[name] = text
    wanted.out.write_text(results(found, said, commands(wanted.seconds)))
    print(f"written: {wanted.out}")
    for name in failed:
        print(f"failed or out of bounds: {name}")
    return 1 if failed else 0


def _run(name: str, arguments: Sequence[str]) -> tuple[bool, list[Figure], str]:
    """Return whether it ended well, its figures, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found"
        command = [sys.executable, "-m", f"bench.{name}", *arguments]
        if name in WITH_FIGURES:
            command += ["--json", str(path)]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="", flush=True)
        text = "\n".join(line.rpartition("\r")[2].rstrip() for line in done.stdout.splitlines())
        return done.returncode == 0, read(path) if path.exists() else [], text


def results(
    found: Mapping[str, Sequence[Sequence[Figure]]],
    said: Mapping[str, str],
    ran: Mapping[str, Sequence[str]],
) -> str:
    """Return RESULTS.md: the machine, the versions, medians and ranges beside the bounds."""
    lines = [
        "# Measured", "",
        "Written by `make bench`; medians, and the range where there was more than one round.", "",
        f"- {SystemClock().now():%Y-%m-%d}, {machine()}, "
        f"Linux {platform.release().partition('-')[0]}",
        f"- stewardmon {__version__}, Python {platform.python_version()}",
        *(f"- {version}" for version in map(_version, PEERS) if version),
        "",
    ]  # fmt: skip
    for name, rounds in found.items():
        arguments = " ".join(a for a in ran[name] if not a.startswith("/")).removesuffix(" --svg")
        lines += [
            f"## {name}",
            "",
            f"`python -m bench.{name} {arguments}`, {len(rounds)} times",
            "",
        ]
        lines += ["| what | median | range | bound | |", "|---|---|---|---|---|"]
        for first in rounds[0]:
            values = [one.value for turn in rounds for one in turn if one.name == first.name]
            lines.append(_row(first, values))
        lines.append("")
    for name, text in said.items():
        lines += [f"## {name}", "", "```", text, "```", ""]
    return "\n".join(lines)


def _row(one: Figure, values: Sequence[float]) -> str:
    middle = Figure(one.name, statistics.median(values), one.unit, one.most, one.least)
    span = f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    mark = "" if not one.bound else "within" if middle.good else "**out**"
    unit = f" {one.unit}" if one.unit else ""
    return f"| {one.name} | {number(middle.value)}{unit} | {span} | {one.bound} | {mark} |"


def _version(program: str) -> str:
    where = shutil.which(program)
    if where is None:
        return ""
    done = subprocess.run([where, "--version"], capture_output=True, text=True, check=False)
    said = (done.stdout or done.stderr).splitlines()
    return said[0].partition(" (")[0] if said else program


if __name__ == "__main__":
    sys.exit(main())
