"""The composition root: builds everything from the configuration, owns tasks and reload."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon import __version__, metrics, telemetry
from stewardmon.channels import KINDS as CHANNEL_KINDS
from stewardmon.clock import milliseconds
from stewardmon.config.values import Config
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.external import EXTERNAL
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Delivery
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.triage import Book
from stewardmon.engine import running
from stewardmon.engine.audit import Auditor
from stewardmon.engine.deadman import DeadMan, Ping
from stewardmon.engine.deliver import Delivering, rates
from stewardmon.engine.deploys import Deploys
from stewardmon.engine.drills import Drills
from stewardmon.engine.early import Early
from stewardmon.engine.escalate import Escalating
from stewardmon.engine.evaluate import Evaluating
from stewardmon.engine.evaluator import Evaluated, Evaluator
from stewardmon.engine.evidence import Gatherer
from stewardmon.engine.external import External
from stewardmon.engine.facts import FactFinder
from stewardmon.engine.feeds import Feeds
from stewardmon.engine.heartbeats import Heartbeats
from stewardmon.engine.housekeeping import Housekeeping, retention
from stewardmon.engine.jobs import Job, Jobs
from stewardmon.engine.knowledge import knowledge
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.live import Live
from stewardmon.engine.mutes import MuteRules, Mutes
from stewardmon.engine.pace import Pace
from stewardmon.engine.record import Recorder, Tape
from stewardmon.engine.reports import Reporter, Reports
from stewardmon.engine.responder import Responder
from stewardmon.engine.restores import Restores
from stewardmon.engine.rota import Rota
from stewardmon.engine.selfwatch import SelfWatch, own_rules
from stewardmon.engine.silences import Silences
from stewardmon.engine.supervise import Supervisor
from stewardmon.engine.tasks import Tasks
from stewardmon.engine.turns import Turns
from stewardmon.engine.watch import Observations, Target, Watch
from stewardmon.errors import StewardmonError
from stewardmon.ports import Channel, Clock, Context, History, Kind, Probe, Store
from stewardmon.probes import KINDS as PROBE_KINDS

log = structlog.get_logger()

PRIME_AT_MOST: Final = timedelta(seconds=10)  # a probe that hangs must not hold up the rules

Load = Callable[[], Config]
Links = Callable[[Delivery], tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the app is built from; tests hand in a clock, a store and adapters of their own."""

    clock: Clock
    store: Store
    history: History
    config: Config
    load: Load
    links: Links = lambda _: ("", "")
    signs_of_life: tuple[Ping, ...] = ()
    location: str = "local"
    external_url: str = ""
    early: Early = field(default_factory=dict)
    probe_kinds: Mapping[str, Kind] = field(default_factory=lambda: PROBE_KINDS)
    channel_kinds: Mapping[str, Kind] = field(default_factory=lambda: CHANNEL_KINDS)


class App:
    """One daemon. `start` restores, `run` keeps the loops going, `close` lets go."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        clock = self._clock = parts.clock
        self._config = config = parts.config
        self._supervisor = Supervisor(clock, bug=telemetry.report_bug)
        beat = self._supervisor.beat
        self._series = SeriesStore()
        turns = Turns()
        self._recorder = Recorder(parts.history, clock, beat=beat("history"), turns=turns)
        self._tape = Tape(self._series, self._recorder)
        self._observations = Observations(self._tape)
        self._ledger = Ledger(parts.store)
        self._mutes = Mutes(self._series, lambda: self._observations.latest)
        self._responder = Responder(
            ledger=self._ledger,
            book=book(config),
            muting=self._mutes,
            external_url=parts.external_url,
            turns=turns,
        )
        self._silences = Silences(self._ledger, self._responder, self._mutes)
        self._rota = Rota(self._ledger, self._responder)
        self._drills = Drills(self._ledger, self._responder)
        self._heartbeats = Heartbeats(self._ledger)
        self._deploys = Deploys(self._ledger, self._responder, self._tape)
        self._restores = Restores(self._ledger, clock)
        self._external = External(self._responder, clock, beat=beat("external"))
        self._jobs = Jobs(self._ledger, clock, beat=beat("jobs"), bug=telemetry.report_bug)
        self._tasks = Tasks(self._ledger)
        self._reports = Reports(
            Reporter(
                parts.store,
                parts.history,
                people=lambda: self._responder.book.roster.people,
                rules=lambda: self._config.rules,
                overdue=self._overdue_tasks,
            )
        )
        answers = {name: one.answer for name, one in parts.early.items()}
        self._watch = Watch(
            self._targets(config),
            self._observations,
            clock,
            beat=beat("watch"),
            bug=telemetry.report_bug,
            answers=answers,
        )
        self._gatherer = Gatherer(
            self._responder,
            clock,
            series=self._series,
            latest=lambda: self._observations.latest,
            targets=lambda: self._watch.targets,
            beat=beat("evidence"),
            bug=telemetry.report_bug,
        )
        self._responder.evidence = self._gatherer.of
        self._responder.listeners.append(self._gatherer.heard)
        self._evaluating = Evaluating(
            self._evaluator(config),
            clock,
            interval=config.evaluation_interval,
            report=self._report,
            beat=beat("evaluate"),
            primed=self._is_primed,
            after_people=turns.after_people,
        )
        self._delivering = Delivering(
            ledger=self._ledger,
            responder=self._responder,
            channels=self._make_channels(config),
            clock=clock,
            links=parts.links,
            beat=beat("deliver"),
            bug=telemetry.report_bug,
        )
        self._delivering.per_minute = rates(config.channels)
        self.live = Live(
            clock=clock,
            started_at=clock.now(),
            location=parts.location,
            external_url=parts.external_url,
            series=self._series,
            observations=self._observations,
            evaluator=self._evaluating.evaluator,
            responder=self._responder,
            mutes=self._mutes,
            silences=self._silences,
            external=self._external,
            rota=self._rota,
            drills=self._drills,
            tasks=self._tasks,
            reports=self._reports,
            heartbeats=self._heartbeats,
            deploys=self._deploys,
            ledger=self._ledger,
            history=parts.history,
            supervisor=self._supervisor,
            config=config,
            reload=self.reload,
            ask=self._watch.look,
        )
        self._adopt(config)

    async def start(self) -> None:
        """Go on where the last process stopped; the state must be open."""
        saved = await self._ledger.load()
        self._responder.restore(saved)
        self._silences.restore(saved.records)
        self._rota.restore(saved.records)
        self._drills.restore(saved.records)
        self._jobs.restore(saved.records)
        self._tasks.restore(saved.records)
        self._reports.restore(saved.records)
        self._heartbeats.restore(saved.records)
        self._deploys.restore(saved.records)
        self._restores.restore(saved.records)
        await self._heartbeats.expect(_heartbeats(self._config), now=self._clock.now())
        self._external.restore(saved.alerts, now=self._clock.now())
        by_rule: dict[str, dict[Labels, Alert]] = defaultdict(dict)
        for alert in saved.alerts:
            by_rule[alert.rule][alert.labels] = alert
        running.adopt(self._evaluating.evaluator.groups, by_rule)
        count = await self._recorder.refill(self._series)
        log.info(
            "restored",
            alerts=len(saved.alerts),
            incidents=len(saved.incidents),
            waiting=len(self._ledger.waiting()),
            samples=count,
        )
        await self._let_go([one for alerts in by_rule.values() for one in alerts.values()])

    async def run(self) -> None:
        """Keep every loop going until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, loop in self._loops().items():
                group.create_task(self._supervisor.keep(name, loop), name=name)

    async def close(self) -> None:
        """Close adapters and the state; what was not sent waits there."""
        await self._watch.close()
        for channel in self._delivering.channels.values():
            await channel.close()
        await self._recorder.flush()
        await self._parts.history.close()
        await self._parts.store.close()

    async def reload(self) -> str:
        """Read the configuration anew; return what is wrong, empty when it is in force.

        Everything is built before anything is swapped: a file that does not load changes nothing.
        """
        try:
            config = await asyncio.to_thread(self._parts.load)
            evaluator = self._evaluator(config)
            channels = self._make_channels(config)
            targets = self._targets(config)
        except StewardmonError as error:
            log.error("reload_failed", mistakes=str(error).splitlines())
            metrics.RELOADS.labels("failed").inc()
            metrics.CONFIG_VALID.set(0)
            self.live.config_error = str(error)
            return str(error)
        orphans, ended = running.carry_over(self._evaluating.evaluator.groups, evaluator.groups)
        evaluator.end(ended, milliseconds(self._clock.now()))
        former: list[Probe | Channel] = [
            *self._gone(targets),
            *self._delivering.channels.values(),
        ]
        self._watch.change(targets)
        self._evaluating.change(evaluator, interval=config.evaluation_interval)
        self._delivering.channels = channels
        self._delivering.per_minute = rates(config.channels)
        self._responder.book = book(config)
        self._rota.change(config.roster)
        held_ms, longer = self._series.retention_ms, dict(self._series.longer)
        self._adopt(config)
        await self._heartbeats.expect(_heartbeats(config), now=self._clock.now())
        for name, reach_ms in {**self._series.longer, "": self._series.retention_ms}.items():
            if reach_ms > max(held_ms, longer.get(name, 0)):
                await self._recorder.deepen(self._series, name, back_ms=reach_ms)
        await self._let_go(orphans)
        for adapter in former:
            await adapter.close()
        metrics.RELOADS.labels("done").inc()
        log.info("reloaded", probes=len(config.probes), rules=len(evaluator.rules()))
        return ""

    # Building

    def _targets(self, config: Config) -> list[Target]:
        """Return the probes to watch; one whose entry is unchanged keeps its state."""
        known = self._watch.targets if hasattr(self, "_watch") else {}
        context = self._context()
        targets = []
        for spec in config.probes:
            before = known.get(spec.name)
            asked = self._parts.early.pop(spec.name, None)
            if before is not None and before.spec == spec:
                targets.append(before)
            elif asked is not None:
                targets.append(Target(spec=spec, probe=asked.probe))
            else:
                make = self._parts.probe_kinds[spec.kind].make
                own = replace(context, probe=spec.name)
                targets.append(Target(spec=spec, probe=make(spec.settings, own)))
        return targets

    def _make_channels(self, config: Config) -> dict[str, Channel]:
        context = self._context()
        kinds = self._parts.channel_kinds
        return {one.name: kinds[one.kind].make(one.settings, context) for one in config.channels}

    def _evaluator(self, config: Config) -> Evaluator:
        groups = running.prepare([*config.groups, own_rules()], interval=config.evaluation_interval)
        return Evaluator(
            groups,
            self._series,
            external_labels=config.external_labels,
            external_url=self._parts.external_url,
            tape=self._tape,
            pace=Pace(),
            windows=self._evaluating.evaluator.windows if hasattr(self, "_evaluating") else None,
        )

    def _context(self) -> Context:
        return Context(
            clock=self._clock,
            user_agent=f"stewardmon/{__version__}",
            external_url=self._parts.external_url,
            pulse=self._heartbeats.pulse,
            restored=self._restores.last,
        )

    def _gone(self, targets: Sequence[Target]) -> list[Probe]:
        """Return the probes that a reload leaves without use; the series of removed ones end."""
        kept = {id(target.probe) for target in targets}
        names = {target.spec.name for target in targets}
        removed = sorted(set(self._watch.targets) - names)
        self._observations.forget(removed, at=self._clock.now())
        return [one.probe for one in self._watch.targets.values() if id(one.probe) not in kept]

    def _adopt(self, config: Config) -> None:
        """Make the rest of the daemon see the configuration that is in force now."""
        evaluator = self._evaluating.evaluator
        rules = {one.rule.key: one.rule for one in evaluator.rules()}
        self._gatherer.rules = rules
        self._responder.facts = FactFinder(rules, evaluator.engine, self._clock, Pace())
        self._series.retention_ms, self._series.longer = retention(evaluator)
        causes = knowledge(evaluator.rules(), config.probes, config.inhibit_rules, config.routes)
        self._mutes.change(MuteRules(knowledge=causes, windows=config.maintenance))
        self._reports.office = config.reports
        self._jobs.change(self._calendar_jobs(config))
        self._config = config
        self.live.config = config
        self.live.evaluator = evaluator
        self.live.config_error = ""
        metrics.CONFIG_VALID.set(1)

    def _calendar_jobs(self, config: Config) -> list[Job]:
        """Return what is to be done at set hours."""
        return [*self._restores.jobs(config.probes), *self._reports.jobs()]

    def _overdue_tasks(self, now: datetime) -> list[str]:
        return [one.words for one in self._tasks.standings(now=now) if one.is_overdue]

    # Between the loops

    def _loops(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        clock, beat = self._clock, self._supervisor.beat
        escalating = Escalating(self._responder, clock, beat=beat("escalate"))
        auditor = Auditor(
            self._responder, self._ledger, clock, beat=beat("audit"), delivering=self._delivering
        )
        selfwatch = SelfWatch(
            self._tape,
            clock,
            location=self._parts.location,
            extra=self._own_figures,
            beat=beat("selfwatch"),
        )
        return {
            "watch": self._watch.run,
            "evaluate": self._evaluating.run,
            "escalate": escalating.run,
            "external": self._external.run,
            "calendars": Feeds(self._rota, clock, beat=beat("calendars")).run,
            "deliver": self._delivering.run,
            "evidence": self._gatherer.run,
            "jobs": self._jobs.run,
            "history": self._recorder.run,
            "audit": auditor.run,
            "selfwatch": selfwatch.run,
            "housekeeping": Housekeeping(self.live, beat=beat("housekeeping")).run,
            "deadman": DeadMan(
                self._parts.signs_of_life, self._supervisor, clock, beat=beat("deadman")
            ).run,
        }

    def _is_primed(self) -> bool:
        """Say whether rules may be evaluated: every probe has answered since the start.

        What history refilled may end some seconds before the crash. Judged by it, an outage that
        began just then would look over, be resolved, and page anew a second later.
        """
        waited = self._clock.now() - self.live.started_at
        return (
            waited > PRIME_AT_MOST or self._watch.targets.keys() <= self._observations.latest.keys()
        )

    async def _report(self, evaluated: Evaluated, at: datetime) -> None:
        if evaluated.changed or evaluated.dropped:
            self._gatherer.saw(evaluated.changed, gone=evaluated.dropped)
            await self._responder.report(evaluated.changed, now=at, forgotten=evaluated.dropped)

    async def _let_go(self, orphans: Sequence[Alert]) -> None:
        """Resolve alerts whose rule is gone: nobody else ever would."""
        now = self._clock.now()
        ours = [one for one in orphans if not one.rule.startswith(EXTERNAL)]
        over = [
            replace(one, state=AlertState.RESOLVED, resolved_at=now)
            for one in ours
            if one.state is AlertState.FIRING
        ]
        await self._responder.report(over, now=now)
        await self._responder.report((), now=now, forgotten=ours)

    def _own_figures(self) -> Mapping[tuple[str, str, str], float]:
        """Return what no metric holds: how long probes are silent, how often rules failed."""
        now = self._clock.now()
        metrics.OFFLINE.set(float(self._mutes.look(now).offline))
        metrics.CLOCK_OFFSET.set(self._clock.offset().total_seconds())
        figures: dict[tuple[str, str, str], float] = {}
        for name, target in self._watch.targets.items():
            seen = self._observations.latest.get(name)
            since = now - (seen.at if seen is not None else self.live.started_at)
            late = max(since - target.spec.timeout, timedelta(0)) / self._watch.pause(name)
            # An interval in which it is being asked is none of silence, and nothing to write down.
            silent = late if late >= 1 else 0.0
            figures["stewardmon_probe_silent_intervals", "probe", name] = silent
        for one in self._evaluating.evaluator.all_rules():
            key = ("stewardmon_rule_failures_in_a_row", "rule", one.rule.name)
            figures[key] = max(figures.get(key, 0.0), float(one.failures))
        return figures


def _heartbeats(config: Config) -> list[str]:
    return [spec.name for spec in config.probes if spec.kind == "heartbeat"]


def book(config: Config) -> Book:
    """Return what decisions about incidents need of the configuration."""
    levels = {
        rule.key: rule.level
        for group in config.groups
        for rule in group.rules
        if isinstance(rule, AlertRule) and rule.level is not None
    }
    return Book(
        routes=config.routes,
        policies=config.policies,
        roster=config.roster,
        flapping=config.flapping,
        levels=levels,
    )
