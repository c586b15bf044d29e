"""Replays: what is skipped changes nothing, whatever the rules are and the data look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from stewardmon.config.loading import load
from stewardmon.domain.change import Change
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.maintenance import Maintenance, Once
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup
from stewardmon.domain.series import STALE, SeriesStore
from stewardmon.domain.silence import Silence, record_of
from stewardmon.engine.past_quiet import NOTHING_SET, Past
from stewardmon.engine.running import prepare
from stewardmon.errors import ExpressionError
from stewardmon.promql import plan
from stewardmon.promql.screen import Screen
from stewardmon.rehearsal.agenda import Agenda
from stewardmon.rehearsal.replay import Replayed, play, replay
from stewardmon.rehearsal.stage import Stage
from stewardmon.stores import open_store, recorded
from stewardmon.stores.memory import MemoryHistory
from tests.config.environment import ENVIRON
from tests.support.expressions import BASE, Generator, series

ROOT: Final = Path(__file__).parents[2]
START: Final = datetime(2026, 3, 1, tzinfo=UTC)
STEP_MS: Final = 15_000


@pytest.fixture
def thorough(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make replays evaluate every rule at every instant from now on."""

    def begin() -> None:
        monkeypatch.setattr(Screen, "may", lambda *_: True)
        monkeypatch.setattr(Stage, "rests", lambda *_: False)

    return begin


# Rules by chance, on data by chance


def rules(seed: int) -> list[RuleGroup]:
    """Return groups of rules: recorded series that others read, holds, clear conditions, ALERTS."""
    random, generator = Random(seed), Generator(seed)
    groups = []
    for number in range(3):
        name = f"group {number}"
        found: list[AlertRule | RecordingRule] = [
            RecordingRule(name=f"recorded:{number}", expr="sum by (job) (gauge)", group=name)
        ]
        for _ in range(7):
            op, bound = random.choice([">", "<", "=="]), random.choice("05")
            text = f"({generator.vector(2)}) {op} {bound}"
            if random.random() < 0.2:
                text = random.choice(
                    [f"recorded:{number} > 0", 'count by (alertname) (ALERTS) > 1', "absent(gone)"]
                )  # fmt: skip
            try:
                plan(text)
            except ExpressionError:
                continue
            found.append(_rule(f"rule {len(found)}", text, name, random))
        interval = timedelta(seconds=random.choice([0, 0, 60]))
        limit = random.choice([0, 0, 4])
        offset = timedelta(seconds=random.choice([0, 45]))
        groups.append(
            RuleGroup(
                name=name, rules=tuple(found), interval=interval, limit=limit, query_offset=offset
            )
        )
    return groups


def _rule(name: str, text: str, group: str, random: Random) -> AlertRule:
    return AlertRule(
        name=name,
        expr=text,
        group=group,
        hold=timedelta(seconds=random.choice([0, 0, 60, 300])),
        keep_firing_for=timedelta(seconds=random.choice([0, 0, 120])),
        subject=random.choice([None, "gauge"]),
        clear_expr=random.choice([None, None, "gauge < 0"]),
        no_data=random.choice([*NoData, NoData.RESOLVE]),
        annotations=(("summary", "{{ $labels.job }}: {{ $value | humanize }}"),),
    )


def data(seed: int) -> SeriesStore:
    random = Random(seed)
    store = SeriesStore(retention_ms=10**15)
    for one in series(random):
        keep = random.choice([1.0, 0.9])
        for at, value in one.points:
            if random.random() < keep:
                store.append(
                    one.labels, round(at * 1000), STALE if random.random() < 0.01 else value
                )
    return store


async def played(seed: int) -> Stage:
    groups = prepare(rules(seed), interval=timedelta(milliseconds=STEP_MS))
    stage = Stage(groups, series=data(seed))
    agenda = Agenda(stage.evaluator.groups, stage.series, step_ms=STEP_MS)
    length = 20 * 60_000
    for begin in (BASE * 1000 + 600_000, BASE * 1000 + 600_000 + length):
        await play(stage, agenda, range(begin, begin + length, STEP_MS))
    return stage


def written(stage: Stage) -> list[tuple[Labels, list[int], list[str]]]:
    """Return what evaluation wrote: ALERTS, ALERTS_FOR_STATE and recorded series."""
    return sorted(
        (
            (one.labels, list(one.times), list(map(repr, one.values)))
            for one in stage.series.select(())
            if one.labels.value(NAME).startswith(("ALERTS", "recorded"))
        ),
        key=lambda one: one[0].pairs,
    )


def told(stage: Stage) -> list[tuple[Any, ...]]:
    return [
        (at, alert.rule, alert.labels, alert.state, alert.annotations, alert.active_at)
        for at, alert in stage.changed
    ]


def standing(stage: Stage) -> list[tuple[str, list[tuple[Labels, str]]]]:
    """Return what each rule still has, also what is over and not forgotten yet."""
    return [
        (one.rule.key, [(labels, alert.state.value) for labels, alert in one.active.items()])
        for one in stage.evaluator.rules()
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_skipped_changes_nothing(seed: int, thorough: Callable[[], None]) -> None:
    quick = await played(seed)
    thorough()
    whole = await played(seed)
    assert told(quick) == told(whole)
    assert standing(quick) == standing(whole)
    assert quick.errors == whole.errors
    assert written(quick) == written(whole)
    assert quick.paged == whole.paged
    assert whole.changed


# The shipped rules, on a morning with an outage or two


def morning(random: Random) -> list[tuple[Labels, list[tuple[int, float]]]]:
    """Return what a few probes leave in two hours: noise, two outages, a gap, an end."""
    begin = round(START.timestamp() * 1000)
    found = []
    for place, job in enumerate(("app", "app", "database", "openai", "site")):
        who = {"job": job, "instance": f"host-{place}", "probe": f"{job}-{place}"}
        down = [range(100 + 60 * place, 140 + 60 * place), range(400, 400 + 10 * place)]
        columns: dict[str, list[tuple[int, float]]] = {
            "probe_success": [], "probe_duration_seconds": [], "pg_up": [],
            "pg_stat_activity_count": [], "pg_settings_max_connections": [],
        }  # fmt: skip
        for step in range(480):
            at_ms = begin + step * STEP_MS + 1000 * place
            if 300 < step < 320 and place == 1:
                continue  # nobody asked
            out = any(step in span for span in down) or random.random() < 0.003
            columns["probe_success"].append((at_ms, 0.0 if out else 1.0))
            slow = 6.0 if out else random.uniform(0.1, 3.0)
            columns["probe_duration_seconds"].append((at_ms, slow))
            if job == "database":
                columns["pg_up"].append((at_ms, 0.0 if out else 1.0))
                many = 96.0 if 380 < step < 420 else float(random.randrange(5, 40))
                columns["pg_stat_activity_count"].append((at_ms, many))
                columns["pg_settings_max_connections"].append((at_ms, 100.0))
        if place == 4:
            columns["probe_success"].append((begin + 481 * STEP_MS, STALE))
        found += [(Labels({NAME: name, **who}), points) for name, points in columns.items()]
    return found


async def replayed(*windows: Maintenance, past: Past = NOTHING_SET) -> Replayed:
    history = MemoryHistory()
    await history.write([one for one in morning(Random(3)) if one[1]])
    config = load(ROOT / "rules", {**ENVIRON, "PAGER_URL": "http://127.0.0.1:9/"})
    config = replace(config, maintenance=windows)
    return await replay(
        config,
        history,
        start=START,
        end=START + timedelta(hours=2),
        every=timedelta(seconds=15),
        past=past,
    )


async def test_the_shipped_rules_page_the_same_however_they_are_replayed(
    thorough: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count(monkeypatch)
    quick = await replayed()
    few = len(asked)
    thorough()
    whole = await replayed()
    assert quick == whole
    assert {"Database Issues", "High Error Rate"} <= set(whole.fired)
    assert whole.paged
    assert few < (len(asked) - few) / 10, "it was worth while"


async def test_maintenance_of_the_time_pages_nobody() -> None:
    plain = await replayed()
    half = START + timedelta(hours=1)
    span = Once(start=START, end=half)
    window = Maintenance(id="m", name="upgrade", matchers=(), span=span)
    quiet = await replayed(window)
    assert quiet.fired == plain.fired
    assert any(page.at < half for page in plain.paged)
    assert quiet.paged
    assert all(page.at >= half for page in quiet.paged)


def count(monkeypatch: pytest.MonkeyPatch) -> Sequence[int]:
    """Write down every instant at which some rule is evaluated."""
    asked: list[int] = []
    evaluate = Stage.evaluate

    async def counted(stage: Stage, at_ms: int, rules: Any) -> None:
        rules = list(rules)
        asked.extend([at_ms] * len(rules))
        await evaluate(stage, at_ms, rules)

    monkeypatch.setattr(Stage, "evaluate", counted)
    return asked


async def test_an_alert_that_is_over_is_forgotten_a_quarter_of_an_hour_later() -> None:
    series = SeriesStore(retention_ms=10**15)
    for step in range(240):
        series.append(Labels({NAME: "up"}), step * STEP_MS, float(not 20 <= step < 40))
    rule = AlertRule(name="Down", expr="up == 0", group="g")
    group = RuleGroup(name="g", rules=(rule,))
    stage = Stage(prepare([group], interval=timedelta(seconds=15)), series=series)
    agenda = Agenda(stage.evaluator.groups, series, step_ms=STEP_MS)
    await play(stage, agenda, range(0, 100 * STEP_MS, STEP_MS))
    (running,) = stage.rules()
    assert [alert.state.value for alert in running.active.values()] == ["resolved"]
    await play(stage, agenda, range(100 * STEP_MS, 102 * STEP_MS, STEP_MS))
    assert not running.active
    assert [(at.timestamp(), alert.state.value) for at, alert in stage.changed] == [
        (300, "firing"), (600, "resolved"),
    ]  # fmt: skip


async def test_silences_of_the_time_and_windows_set_then_page_nobody() -> None:
    half = START + timedelta(hours=1)
    silenced = Silence(
        id="s",
        matchers=(Matcher("job", Op.MATCHES, ".*"),),
        starts_at=START,
        ends_at=half,
        updated_at=START,
        created_by="dev-a",
        comment="moving",
    )
    window = Maintenance(id="m", name="upgrade", matchers=(), span=Once(start=START, end=half))
    plain = await replayed()
    for past in (Past(silences=(silenced,)), Past(windows=(window,))):
        quiet = await replayed(past=past)
        assert quiet.fired == plain.fired
        assert quiet.paged
        assert all(page.at >= half for page in quiet.paged)


async def test_what_was_set_is_read_beside_the_daemon_that_holds_the_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert await recorded(str(path)) == {}
    assert not path.exists()
    store, _ = open_store(str(path))
    await store.open()
    known = Silence(
        id="s",
        matchers=(Matcher("job", Op.EQUAL, "app"),),
        starts_at=START,
        ends_at=START + timedelta(hours=1),
        updated_at=START,
        created_by="dev-a",
        comment="moving",
    )
    bodies: dict[tuple[str, str], Mapping[str, object]] = {
        ("silence_past", "s"): record_of(known),
        ("silence", "broken"): {"by": "dev-a"},
    }
    await store.commit(Change(records=bodies))
    assert Past.of(await recorded(str(path))).silences == (known,)
    await store.close()
