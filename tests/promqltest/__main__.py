"""`python -m tests.promqltest FILE…`: each failing case by file and line, then the counts."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.promqltest.run import Verdict, run_file
from tests.promqltest.script import ScriptError


def main(arguments: list[str]) -> int:
    """Run the scripts; return 0 when all cases passed, 1 when one failed, 2 for wrong use."""
    if not arguments:
        sys.stderr.write("usage: python -m tests.promqltest FILE...\n")
        return 2
    counts: Counter[Verdict] = Counter()
    for argument in arguments:
        try:
            for outcome in run_file(Path(argument)):
                counts[outcome.verdict] += 1
                if outcome.verdict is not Verdict.PASSED:
                    sys.stdout.write(f"{outcome.place}: {outcome.verdict}: {outcome.why}\n")
        except (OSError, ScriptError) as error:
            sys.stderr.write(f"{error}\n")
            return 2
    sys.stdout.write(
        f"{counts[Verdict.PASSED]} passed, {counts[Verdict.FAILED]} failed, "
        f"{counts[Verdict.SKIPPED]} skipped\n"
    )
    return 1 if counts[Verdict.FAILED] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
