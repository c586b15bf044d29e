"""`make bench`: every benchmark once, short, one after the other.

    python -m bench --seconds 10

Each runs as a process of its own, so that none measures another's leftovers; the exit code is 1
when one of them failed. Longer runs and further arguments: `python -m bench.NAME --help`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys


def commands(seconds: float) -> dict[str, list[str]]:
    """Return each benchmark's arguments for a run of about so many seconds."""
    kills = max(2, round(seconds / 3))
    return {
        "start": ["--seconds", f"{seconds:g}"],
        "crash": ["--kills", str(kills), "--seed", "1"],
        "probes": [],
        "rules": [],
    }


def main() -> int:
    """Run them all; say which failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("only", nargs="*", help="names, all where none is given")
    wanted = parser.parse_args()
    failed = []
    for name, arguments in commands(wanted.seconds).items():
        if wanted.only and name not in wanted.only:
            continue
        print(f"── {name}", flush=True)
        command = [sys.executable, "-m", f"bench.{name}", *arguments]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    for name in failed:
        print(f"failed: {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
