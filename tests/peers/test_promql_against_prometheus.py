"""Generated expressions over the same samples: what we answer is what real Prometheus answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from stewardmon.demo.postgres import free_port
from stewardmon.domain.series import SeriesStore
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Engine, Matrix, Reads, Result, Scalar, Vector, parse, plan
from stewardmon.promql.pretty import pretty
from stewardmon.promql.signatures import AGGREGATORS, FUNCTIONS
from tests.support.expressions import (
    ABSENT,
    BASE,
    OFF,
    STEP,
    Generator,
    Written,
    openmetrics,
    series,
)
from tests.support.peers import needs_peer, promtool, require, started
from tests.support.plain import NO_TLS

pytestmark = [needs_peer("prometheus", "promtool"), pytest.mark.timeout(300)]

SEEDS = range(4)
EACH = 150
AT = BASE + STEP * 90 + OFF

Rows = dict[tuple[tuple[str, str], ...], list[tuple[float, float]]]


class Both:
    """The same samples in a real Prometheus and in our own engine."""

    def __init__(self, url: str, written: list[Written]) -> None:
        self._client = httpx.Client(base_url=url, verify=NO_TLS, trust_env=False, timeout=30)
        store = SeriesStore(retention_ms=2**60)
        for one in written:
            for at, value in one.points:
                store.append(one.labels, round(at * 1000), value)
        self._engine = Engine(store)

    def instant(self, text: str) -> tuple[Rows | None, Rows | None]:
        """Return their rows and ours; None stands for a refusal."""
        theirs = self._theirs("/api/v1/query", query=text, time=AT)
        return theirs, _ours(lambda: self._engine.instant(plan(text), AT * 1000))

    def ranged(self, text: str) -> tuple[Rows | None, Rows | None]:
        """As `instant`, over twenty minutes."""
        start, end, step = AT - 1200, AT, 2 * STEP
        theirs = self._theirs("/api/v1/query_range", query=text, start=start, end=end, step=step)
        ours = _ours(lambda: self._engine.range(plan(text), start * 1000, end * 1000, step * 1000))
        return theirs, ours

    def read(self, text: str, step: int) -> tuple[int, int]:
        """Return how many samples they and we read for it, at an instant or at each step."""
        reads, start = Reads(), AT - 1200
        ways: dict[str, Any] = {"query": text, "stats": "all"}
        if step:
            ways |= {"start": start, "end": AT, "step": step}
            self._engine.range(plan(text), start * 1000, AT * 1000, step * 1000, reads=reads)
        else:
            ways["time"] = AT
            self._engine.instant(plan(text), AT * 1000, reads=reads)
        answer = self._client.get(f"/api/v1/query{'_range' if step else ''}", params=ways)
        stats = answer.raise_for_status().json()["data"]["stats"]
        return stats["samples"]["totalQueryableSamples"], reads.samples

    def printed(self, text: str) -> tuple[str | None, str | None]:
        answer = self._client.get("/api/v1/format_query", params={"query": text})
        try:
            ours = pretty(parse(text))
        except ExpressionError:
            ours = None
        return answer.json().get("data"), ours

    def close(self) -> None:
        self._client.close()

    def _theirs(self, path: str, **params: Any) -> Rows | None:
        answer = self._client.get(path, params=params)
        if answer.status_code in {400, 422}:
            return None
        answer.raise_for_status()
        data = answer.json()["data"]
        if data["resultType"] == "scalar":
            return {(): [(data["result"][0], float(data["result"][1]))]}
        return {
            tuple(sorted(row["metric"].items())): [
                (at, float(value)) for at, value in row.get("values") or [row["value"]]
            ]
            for row in data["result"]
        }


def _ours(evaluate: Callable[[], Result]) -> Rows | None:
    try:
        result = evaluate()
    except (ExpressionError, EvaluationError):
        return None
    match result:
        case Scalar(at_ms=at_ms, value=value):
            return {(): [(at_ms / 1000, value)]}
        case Vector(at_ms=at_ms, samples=samples):
            return {labels.pairs: [(at_ms / 1000, value)] for labels, value in samples}
        case Matrix(series=found):
            return {
                labels.pairs: [(at_ms / 1000, value) for at_ms, value in points]
                for labels, points in found
            }
        case other:
            raise AssertionError(f"neither numbers nor series: {other}")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A Prometheus whose past was written by promtool, and our engine with the same samples."""
    folder = tmp_path_factory.mktemp("prometheus")
    written = list(series(Random(1)))
    (folder / "samples.txt").write_text(openmetrics(written))
    (folder / "config.yml").write_text("")
    made = promtool(
        "tsdb", "create-blocks-from", "openmetrics", folder / "samples.txt", folder / "data"
    )
    assert made.returncode == 0, made.stderr
    with _prometheus(folder) as url:
        pair = Both(url, written)
        yield pair
        pair.close()


@contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [
        require("prometheus"),
        "--config.file=config.yml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with started(command, folder=folder, url=f"http://{address}", ready="/-/ready") as prometheus:
        yield prometheus.url


def _equal(theirs: Rows | None, ours: Rows | None) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    return theirs.keys() == ours.keys() and all(
        len(theirs[key]) == len(ours[key])
        and all(
            there[0] == here[0] and _near(there[1], here[1])
            for there, here in zip(theirs[key], ours[key], strict=True)
        )
        for key in theirs
    )


def _near(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_expressions_read_as_in_prometheus(both: Both, seed: int) -> None:
    generator = Generator(seed)
    for number in range(EACH):
        text = generator.expression()
        theirs, ours = both.ranged(text) if number % 3 == 0 else both.instant(text)
        assert _equal(theirs, ours), f"{text}\ntheirs {theirs}\nours   {ours}"


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_expressions_are_printed_as_prometheus_prints_them(both: Both, seed: int) -> None:
    generator = Generator(seed)
    for _ in range(EACH):
        text = generator.expression()
        theirs, ours = both.printed(text)
        assert ours == theirs, text


@pytest.mark.parametrize("step", [0, STEP])
@pytest.mark.parametrize(
    "text",
    ["gauge", "gauge + on (job, instance) load", "rate(requests_total[5m])", "absent(gauge)",
     "sum by (job) (max_over_time(gauge[20m] offset 5m))", "odd > 0", "timestamp(ended)",
     "predict_linear(gauge[5m], 60)", "last_over_time(ended[20m])", "vector(1)"],
)  # fmt: skip
def test_samples_are_counted_as_prometheus_counts_them(both: Both, text: str, step: int) -> None:
    theirs, ours = both.read(text, step)
    assert ours == theirs


def test_the_generator_leaves_no_word_of_the_language_out() -> None:
    texts = [Generator(seed).expression() for seed in range(3000)]
    words = set(re.findall(r"[a-z_0-9]+", " ".join(texts)))
    assert set(FUNCTIONS) - ABSENT <= words
    assert words >= AGGREGATORS


def test_a_difference_would_be_seen(both: Both) -> None:
    theirs, ours = both.instant("gauge")
    assert theirs is not None
    assert ours is not None
    assert _equal(theirs, ours)
    assert not _equal(theirs, both.instant("gauge * 1.00001")[1])
    assert not _equal(theirs, both.instant("gauge{job='app'}")[1])
    assert not _equal(theirs, both.instant("gauge * gauge{zone='no', zone!='no'} or sum(")[1])
