"""What evaluating rules costs: CPU per rule, long windows against short ones, and ingestion.

    python -m bench.rules [--seconds N] [--targets N]

400 series read every second; 800 rules (an error ratio over 5 minutes and a 95th percentile over 2
minutes for each series) evaluated every second: by our evaluator, alerts included, on simulated
time, then by Debian's Prometheus, which is left out where it is not installed. Nothing fires.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from bench import rules_prometheus
from bench.figures import Figure, show
from bench.processes import MissingError
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule, RuleGroup
from stewardmon.domain.series import Series, SeriesStore
from stewardmon.engine.evaluator import Evaluator
from stewardmon.engine.running import prepare
from stewardmon.promql import Engine, Plan, plan

STEP_MS = 1000
DAY_MS = 24 * 3600 * STEP_MS


def labels_of(target: int) -> Labels:
    """Return the labels of a target's series."""
    return Labels({NAME: "probe_success", "job": "bench", "probe": f"p{target}"})


def error_ratio(target: int, window: str = "5m") -> str:
    """Return the rule on a target's share of failures."""
    return f'1 - avg_over_time(probe_success{{probe="p{target}"}}[{window}]) > 0.05'


def percentile(target: int) -> str:
    """Return the rule on a target's 95th percentile."""
    return f'quantile_over_time(0.95, probe_success{{probe="p{target}"}}[2m]) > 5'


def rule_texts(targets: int) -> dict[str, str]:
    """Return the rules by name: two for each target."""
    errors = {f"Errors{i}": error_ratio(i) for i in range(targets)}
    return errors | {f"Slow{i}": percentile(i) for i in range(targets)}


def readings(targets: int) -> Iterator[list[float]]:
    """Yield a reading of each series, second for second the same in every run; none is bad."""
    draw = random.Random(7).random
    while True:
        yield [1 - draw() / 50 for _ in range(targets)]


class World:
    """A head with `targets` series, filled for a while, and time that moves by seconds."""

    def __init__(self, targets: int, filled_ms: int) -> None:
        self.store = SeriesStore(retention_ms=filled_ms + 60_000)
        self.series: list[Series] = [self.store.handle(labels_of(i)) for i in range(targets)]
        self._readings = readings(targets)
        self.now_ms = 1_700_000_000_000
        for _ in range(filled_ms // STEP_MS):
            self.tick()

    def tick(self) -> None:
        """Move on by a second: a reading of each series."""
        self.now_ms += STEP_MS
        for series, value in zip(self.series, next(self._readings), strict=True):
            series.append(self.now_ms, value)


def evaluation_us(world: World, plans: Sequence[Plan], seconds: int) -> float:
    """Return the CPU microseconds of one rule evaluation, after a few rounds to warm up.

    Windows are filled once at the first evaluation after a start; that is not what is measured.
    """
    engine = Engine(world.store)
    windows = engine.windows()
    for _ in range(3):
        for planned in plans:
            engine.instant(planned, world.now_ms, windows=windows)
        world.tick()
    used = 0.0
    for _ in range(seconds):
        world.tick()
        before = time.process_time()
        for planned in plans:
            engine.instant(planned, world.now_ms, windows=windows)
        used += time.process_time() - before
        world.store.trim(world.now_ms)
    return used / (seconds * len(plans)) * 1e6


def rule_us(world: World, targets: int, seconds: int) -> float:
    """Return the CPU microseconds of one rule, evaluated with its alerts as the daemon does it."""
    rules = tuple(AlertRule(name=n, expr=e, group="load") for n, e in rule_texts(targets).items())
    groups = prepare([RuleGroup(name="load", rules=rules)], interval=timedelta(seconds=1))
    evaluator = Evaluator(groups, world.store)
    used = 0.0
    for second in range(seconds + 3):
        world.tick()
        before = time.process_time()
        for running in evaluator.all_rules():
            evaluator.evaluate(running, world.now_ms)
        used += time.process_time() - before if second >= 3 else 0.0
        world.store.trim(world.now_ms)
    assert not any(one.active or one.error for one in evaluator.rules())
    return used / (seconds * len(rules)) * 1e6


def _prometheus(targets: int, seconds: int, own_us: float) -> Iterator[Figure]:
    """Yield what the same rules cost Prometheus, and our share of that."""
    labels = [labels_of(i) for i in range(targets)]
    pages = (zip(labels, values, strict=True) for values in readings(targets))
    rules = [{"alert": name, "expr": expr} for name, expr in rule_texts(targets).items()]
    group = {"name": "load", "interval": "1s", "rules": rules}
    try:
        found = rules_prometheus.evaluation_us(pages, [group], seconds)
    except MissingError as error:
        print(f"Prometheus: skipped, {error}")
        return
    yield Figure("the same rules in Prometheus", found, "us CPU")
    share = own_us / found if found > 0 else math.nan  # too little for the kernel to have counted
    yield Figure("rule evaluation, share of Prometheus'", share, "", 1 / 3)


def ingested_per_second(targets: int, rounds: int) -> float:
    """Return how many samples a core takes in per CPU second."""
    world = World(targets, 0)
    before = time.process_time()
    for _ in range(rounds):
        world.tick()
        world.store.trim(world.now_ms)
    return targets * rounds / (time.process_time() - before)


def figures(targets: int, seconds: int, long: int) -> Iterator[Figure]:
    """Measure; yield each figure as it is known."""
    world = World(targets, 6 * 60 * STEP_MS)
    own = rule_us(world, targets, seconds)
    yield Figure(f"rule evaluation, {2 * targets} rules", own, "us CPU")
    yield from _prometheus(targets, seconds, own)
    grouped = [plan("1 - avg by (probe) (avg_over_time(probe_success[5m])) > 0.05")]
    whole = evaluation_us(world, grouped, seconds)
    yield Figure(f"one rule over {targets} series, per series", whole / targets, "us CPU")
    yield from _long_windows(seconds, long)
    yield Figure("samples ingested", ingested_per_second(targets, 500), "/s CPU", least=1e5)


def _long_windows(seconds: int, targets: int) -> Iterator[Figure]:
    world = World(targets, DAY_MS)
    # In turns, and the best of each: on a shared machine a neighbour can double a single figure.
    turns = [
        [
            evaluation_us(
                world, [plan(error_ratio(i, window)) for i in range(targets)], seconds * 3
            )
            for window in ("5m", "24h")
        ]
        for _ in range(5)
    ]
    short, whole = (min(column) for column in zip(*turns, strict=True))
    yield Figure("window of 5m", short, "us CPU")
    yield Figure("window of 24h", whole, "us CPU")
    yield Figure("24h against 5m", whole / short, "times", 1.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="simulated seconds measured")
    parser.add_argument("--targets", type=int, default=400, help="series")
    parser.add_argument("--long", type=int, default=20, help="series with a window of a day")
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    found = list(figures(chosen.targets, chosen.seconds, chosen.long))
    return show(found, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
