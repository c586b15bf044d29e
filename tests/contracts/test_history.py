"""One suite over every history: memory, SQLite, PostgreSQL."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.series import STALE
from stewardmon.ports import History, Points
from stewardmon.stores import open_store
from stewardmon.stores.tape import AT_ONCE, HOUR_MS

START = int(datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp() * 1000)
UP = Labels({"__name__": "probe_success", "job": "app"})
DOWN = Labels({"__name__": "probe_success", "job": "database"})
SLOW = Labels({"__name__": "probe_duration_seconds", "job": "app", "odd": '"\\\n☂'})
Reopen = Callable[[], Awaitable[History]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "postgres":
        return str(request.getfixturevalue("database"))
    return str(tmp_path / "state.db")


@pytest.fixture
async def history(url: str) -> AsyncIterator[History]:
    _, history = open_store(url)
    yield history
    await history.close()


@pytest.fixture
async def reopen(url: str, history: History) -> AsyncIterator[Reopen]:
    """What a restart sees: the same history for memory, a fresh one elsewhere."""
    opened: list[History] = []

    async def again() -> History:
        if url == "memory://":
            return history
        await history.close()
        opened.append(open_store(url)[1])
        return opened[-1]

    yield again
    for one in opened:
        await one.close()


def every(seconds: float, count: int, *, start_ms: int = START, value: float = 1.0) -> Points:
    return [(start_ms + round(n * seconds * 1000), value + n) for n in range(count)]


async def read(
    history: History, *matchers: Matcher, start_ms: int = 0, end_ms: int = START + 10**10
) -> dict[Labels, list[tuple[int, float]]]:
    found = await history.read(matchers, start_ms=start_ms, end_ms=end_ms)
    return {labels: list(points) for labels, points in found}


async def write_in(history: History, points: Points, size: int, labels: Labels = UP) -> None:
    for at in range(0, len(points), size):
        await history.write([(labels, points[at : at + size])])


async def test_a_new_history_is_empty(history: History) -> None:
    assert await read(history) == {}
    await history.write([])
    await history.write([(UP, [])])
    assert await read(history) == {}


async def test_what_was_written_is_read_after_a_restart(history: History, reopen: Reopen) -> None:
    written: Sequence[tuple[Labels, Points]] = [
        (UP, every(15, 10)),
        (DOWN, every(15, 10, value=0.5)),
        (SLOW, [(START, math.inf), (START + 1, -0.0)]),
    ]
    await history.write(written)
    after = await reopen()
    assert await read(after) == {labels: list(points) for labels, points in written}


async def test_matchers_choose_series(history: History) -> None:
    await history.write([(labels, every(1, 2)) for labels in (UP, DOWN, SLOW)])
    app = Matcher("job", Op.EQUAL, "app")
    success = Matcher("__name__", Op.MATCHES, "probe_succ.*")
    assert (await read(history, app)).keys() == {UP, SLOW}
    assert (await read(history, app, success)).keys() == {UP}
    assert await read(history, Matcher("job", Op.EQUAL, "nobody")) == {}


async def test_both_ends_of_a_span_belong_to_it(history: History) -> None:
    await history.write([(UP, every(10, 6))])
    found = await read(history, start_ms=START + 10_000, end_ms=START + 30_000)
    assert [at - START for at, _ in found[UP]] == [10_000, 20_000, 30_000]
    assert await read(history, start_ms=START + 10_001, end_ms=START + 19_999) == {}
    assert await read(history, start_ms=START + 1, end_ms=START) == {}


async def test_hours_are_closed_without_losing_or_doubling(
    history: History, reopen: Reopen
) -> None:
    points = every(15, 1200)  # five hours, over six of the clock
    await write_in(history, points, 7)
    assert (await read(history))[UP] == list(points)
    after = await reopen()
    assert (await read(after))[UP] == list(points)
    assert (await read(after, start_ms=points[500][0], end_ms=points[700][0]))[UP] == list(
        points[500:701]
    )
    more = every(15, 400, start_ms=points[-1][0] + 15_000)
    await write_in(after, more, 9)
    assert (await read(after))[UP] == [*points, *more]


async def test_late_and_repeated_samples_find_their_place(history: History) -> None:
    points = every(60, 600)
    await write_in(history, points[300:], 50)
    await write_in(history, points[:301], 50)
    await history.write([(UP, [(points[5][0], 99.0), (points[500][0], 98.0)])])
    expected = dict(points) | {points[5][0]: 99.0, points[500][0]: 98.0}
    assert dict((await read(history))[UP]) == expected
    times = [at for at, _ in (await read(history))[UP]]
    assert times == sorted(times)


async def test_a_late_sample_for_an_hour_that_is_closed_survives_the_next_closing(
    history: History,
) -> None:
    await write_in(history, every(60, 180), 10)
    late = START + 61_234
    await history.write([(UP, [(late, -1.0)])])
    await history.write([(UP, every(60, 120, start_ms=START + 180 * 60_000))])
    found = dict((await read(history))[UP])
    assert len(found) == 301
    assert found[late] == -1.0


async def test_stale_markers_and_nan_keep_their_bits(history: History, reopen: Reopen) -> None:
    values = [1.0, STALE, math.nan, 1.0, STALE]
    points = [(START + n * HOUR_MS, value) for n, value in enumerate(values)]
    await write_in(history, points, 1)
    [(_, found)] = await (await reopen()).read((), start_ms=0, end_ms=START * 2)
    assert [struct.pack("<d", value) for _, value in found] == [
        struct.pack("<d", value) for value in values
    ]


async def test_the_past_can_be_filled_in_at_once(history: History) -> None:
    points = every(15, AT_ONCE + 1, start_ms=START - 30 * 24 * HOUR_MS)
    await history.write([(UP, points), (DOWN, points[:3])])
    await history.write([(UP, every(15, 3))])
    found = await read(history)
    assert found[UP] == sorted((dict(points) | dict(every(15, 3))).items())
    assert found[DOWN] == list(points[:3])


async def test_many_series_in_one_write(history: History) -> None:
    batch = [(Labels({"n": str(n)}), every(1, 2)) for n in range(1200)]
    await history.write(batch)
    assert len(await read(history)) == 1200
    assert len(await read(history, Matcher("n", Op.MATCHES, "1.."))) == 100


async def test_what_is_older_than_thirty_days_is_thinned_and_the_rest_untouched(
    history: History, url: str
) -> None:
    day = timedelta(days=1)
    old = every(60, 60, start_ms=START - START % (24 * HOUR_MS))
    new = every(60, 60, start_ms=old[0][0] + 20 * 24 * HOUR_MS)
    await history.write([(UP, old), (DOWN, old)])
    await history.write([(UP, new)])
    await history.write([(UP, every(60, 1, start_ms=new[-1][0] + 2 * HOUR_MS))])
    now = datetime.fromtimestamp(old[0][0] / 1000, UTC) + 32 * day
    await history.prune(now=now)
    await history.prune(now=now)
    found = await read(history)
    if url == "memory://":
        assert found == {UP: [*new, (new[-1][0] + 2 * HOUR_MS, 1.0)]}
        return
    spans = [old[n : n + 5] for n in range(0, 60, 5)]
    means = [(span[0][0] + 300_000 - 1, sum(value for _, value in span) / 5) for span in spans]
    assert found[DOWN] == means
    assert found[UP][:12] == means
    assert found[UP][12:72] == list(new)
    await history.prune(now=now + 400 * day)
    assert await read(history, end_ms=old[-1][0]) == {}
    assert (await read(history)).keys() == {UP}


async def test_a_late_sample_of_a_thinned_day_joins_its_roll_up(history: History, url: str) -> None:
    if url == "memory://":
        pytest.skip("memory keeps no roll-ups")
    day = every(60, 30, start_ms=START - START % (24 * HOUR_MS))
    await history.write([(UP, day)])
    await history.write([(UP, every(60, 1, start_ms=day[0][0] + 2 * HOUR_MS))])
    now = datetime.fromtimestamp(day[0][0] / 1000, UTC) + timedelta(days=32)
    await history.prune(now=now)
    thinned = (await read(history))[UP]
    late = every(60, 10, start_ms=day[0][0] + HOUR_MS, value=50.0)
    await history.write([(UP, late), (UP, day[:3])])
    await history.write([(UP, every(60, 1, start_ms=day[0][0] + 3 * HOUR_MS))])
    await history.prune(now=now)
    found = (await read(history))[UP]
    assert set(thinned) < set(found)
    assert [value for _, value in found][len(thinned) - 1 : len(thinned) + 1] == [52.0, 57.0]


async def test_two_processes_may_write_to_one_history(history: History, url: str) -> None:
    if url == "memory://":
        pytest.skip("memory belongs to one process")
    _, other = open_store(url)
    mine = every(30, 600)
    theirs = every(30, 600, value=0.25)
    async with asyncio.TaskGroup() as group:
        group.create_task(write_in(history, mine, 20), name="mine")
        group.create_task(write_in(other, theirs, 20, DOWN), name="theirs")
    await other.write([(UP, every(30, 3, start_ms=mine[-1][0] + 1))])
    await other.close()
    found = await read(history)
    assert found[UP] == [*mine, *every(30, 3, start_ms=mine[-1][0] + 1)]
    assert found[DOWN] == list(theirs)


# The edges of the hours into which the history is cut

HOUR = START // HOUR_MS * HOUR_MS + HOUR_MS  # a start of an hour


def edges(*hours: int) -> list[tuple[int, float]]:
    """Return samples at, just before and just after the starts of hours."""
    times = [HOUR + hour * HOUR_MS + off for hour in hours for off in (-1, 0, 1)]
    return [(at, at / 7) for at in times]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_samples_at_the_edges_of_hours_survive_a_restart(
    history: History, reopen: Reopen, size: int
) -> None:
    points = edges(0, 1, 2, 5)  # between the last two lie hours without any sample
    await write_in(history, points, size)
    after = await reopen()
    assert (await read(after))[UP] == points
    for first in range(len(points)):
        for last in range(first, len(points), 3):
            span = points[first : last + 1]
            assert (await read(after, start_ms=span[0][0], end_ms=span[-1][0]))[UP] == span
    assert await read(after, start_ms=HOUR + 2 * HOUR_MS + 2, end_ms=HOUR + 5 * HOUR_MS - 2) == {}
    more = edges(6)
    await write_in(after, more, size)
    assert (await read(after))[UP] == points + more


async def test_samples_out_of_order_find_their_place_over_a_restart(
    history: History, reopen: Reopen
) -> None:
    points = edges(0, 1, 2)
    await history.write([(UP, list(reversed(points[3:])))])
    after = await reopen()
    await after.write([(UP, [points[4], *points[:3], (points[5][0], 99.0)])])
    await after.write([(UP, edges(4))])
    expected = {**dict(points), points[5][0]: 99.0, **dict(edges(4))}
    assert (await read(after))[UP] == sorted(expected.items())


async def test_a_series_that_comes_and_goes_with_the_hours(
    history: History, reopen: Reopen
) -> None:
    await history.write([(UP, edges(0)), (DOWN, edges(0)[:1])])
    await history.write([(UP, edges(3))])
    after = await reopen()
    await after.write([(DOWN, edges(3)[2:])])
    await after.write([(UP, edges(6))])
    found = await read(after)
    assert found[UP] == edges(0, 3, 6)
    assert found[DOWN] == [edges(0)[0], edges(3)[2]]
