"""Label sets are keys, also where they were made by another process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

from stewardmon.domain.labels import Labels


def test_pickled_in_another_process_they_are_the_same_key() -> None:
    script = (
        "import pickle, sys; from stewardmon.domain.labels import Labels; "
        "made = Labels({'a': 'b'}); hash(made); sys.stdout.buffer.write(pickle.dumps(made))"
    )
    for seed in ("1", "2"):  # ours is one of them at most
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        )
        there = pickle.loads(done.stdout)  # noqa: S301 - of our own
        assert {Labels({"a": "b"}): "found"}[there] == "found"
