"""All three files and the environment into one Config, or every mistake at once."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from stewardmon import channels, probes
from stewardmon.config.alerts import Alerting, read_alerts
from stewardmon.config.budget import within_budget
from stewardmon.config.crosscheck import (
    Named,
    check_dependencies,
    check_levels,
    named,
    names_of_group_rules,
)
from stewardmon.config.guide import VARIABLES, guide_text, lacks_user, trimmed
from stewardmon.config.interpolation import interpolate
from stewardmon.config.nodes import scalars
from stewardmon.config.notes import Notes
from stewardmon.config.oncall import OnCall, read_oncall
from stewardmon.config.placeholders import refuse_placeholders
from stewardmon.config.probes import Retention, read_probes
from stewardmon.config.reader import Document, no_folder, parse, read, stands
from stewardmon.config.shipped import ALERTS, ENVIRONMENT, ONCALL, PROBES, shipped, untouched
from stewardmon.config.source import Source
from stewardmon.config.values import Config
from stewardmon.errors import ConfigError
from stewardmon.ports import Kind, ProbeSpec

_UNWATCHED: Final = (
    "no probes.yml says what is watched: whether the probes that depends_on names exist is not "
    "checked"
)


def load(
    folder: Path | None,
    environ: Mapping[str, str],
    *,
    probe_kinds: Mapping[str, Kind] = probes.KINDS,
    channel_kinds: Mapping[str, Kind] = channels.KINDS,
    rules_alone: bool = False,
) -> Config:
    """Return what the folder's files and the environment say. Raises ConfigError with everything.

    Where the folder (or the file in it) is missing, the guide's variables make the probes, and the
    shipped alerts.yml and oncall.yml hold. With `rules_alone` rules are read also where nothing
    says what is watched: then names in depends_on are not checked, which a warning says.
    """
    loading = _Loading(folder, environ)
    notes = loading.notes
    unwatched = rules_alone and loading.watches_nothing()
    if unwatched:
        notes.warn(ALERTS, None, _UNWATCHED)
    specs, retention, watching = _probes(loading, probe_kinds, wanted=not unwatched)
    alerting, worrying, other_rules = _alerts(loading)
    oncall = _oncall(loading, channel_kinds)
    check_dependencies(watching, worrying, other_rules=other_rules, all_known=not unwatched)
    check_levels(worrying, oncall.policies if oncall else {})
    specs = within_budget(specs, probe_kinds, notes=notes, environ=environ)
    notes.check()
    if oncall is None or alerting is None:
        raise ConfigError(())  # a file that gives nothing was noted: not reached
    return Config(
        probes=specs,
        groups=alerting.groups,
        channels=oncall.channels,
        roster=oncall.roster,
        policies=oncall.policies,
        routes=oncall.routes,
        inhibit_rules=oncall.inhibit_rules,
        maintenance=oncall.maintenance,
        flapping=oncall.flapping,
        reports=oncall.reports,
        evaluation_interval=alerting.evaluation_interval,
        external_labels=alerting.external_labels,
        retention_raw=retention.raw,
        retention_rollups=retention.rollups,
        files=tuple(
            document.path for document in loading.documents.values() if document.path is not None
        ),
        digest=loading.digest(),
        warnings=notes.warnings(),
    )


class _Loading:
    """One reading of a folder: what was read, and what is wrong with it."""

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.notes = Notes()
        self.documents: dict[str, Document] = {}
        wrong = None if folder is None else no_folder(folder)
        if wrong:
            self.notes.add(str(folder), None, f"{wrong}: name the folder of probes.yml")
            self.notes.check()

    def open(self, name: str) -> tuple[Document, Source] | None:
        """Return the file of that name: the operator's, else the shipped or the guide's one."""
        path = self.folder / name if self.folder else None
        document: Document | None
        there = path is not None and stands(path)
        if path is not None and there and not (name == PROBES and untouched(path)):
            document = read(path, self.notes)
        elif not there and self._misnamed(name):
            return None
        elif name == PROBES:
            name = ENVIRONMENT
            document = self._guide()
        else:
            document = read(shipped() / name, self.notes)
        return self._prepared(name, document) if document else None

    def watches_nothing(self) -> bool:
        """Say whether no probes.yml and no variable of the guide's says what to watch."""
        if self.folder is not None:
            path = self.folder / PROBES
            if (stands(path) and not untouched(path)) or stands(path.with_suffix(".yaml")):
                return False
        return guide_text(self.environ) is None

    def _misnamed(self, name: str) -> bool:
        other = Path(name).with_suffix(".yaml").name
        found = self.folder is not None and stands(self.folder / other)
        if found:
            self.notes.add(other, None, f"this file is not read: call it {name}")
        return found

    def _guide(self) -> Document | None:
        text = guide_text(self.environ)
        if text is not None:
            lacking = lacks_user(self.environ)
            if lacking:
                self.notes.warn(ENVIRONMENT, None, lacking)
            return parse(text.encode(), self.notes, name=ENVIRONMENT)
        *most, last = VARIABLES
        self.notes.add(
            ENVIRONMENT,
            None,
            f"there is nothing to watch: no probes.yml, and none of {', '.join(most)} and {last} "
            "is set; set those of the guide's that you have, write a probes.yml, or see it work "
            "first with `stewardmon demo`",
        )
        return None

    def _prepared(self, name: str, document: Document) -> tuple[Document, Source]:
        self.documents[name] = document
        # Prometheus' own groups mean the same here as there: nothing in them is replaced.
        mine = document.root.less("groups") if name == ALERTS else document.root
        environ = trimmed(self.environ) if name == ENVIRONMENT else self.environ
        interpolate(mine, environ, self.notes, file=name, lines=document.lines)
        if name != ALERTS:
            refuse_placeholders(mine, self.notes, file=name)
        return document, Source(file=name, lines=document.lines, notes=self.notes)

    def digest(self) -> str:
        """Return a hash of what was read: the files, and what the environment put into them."""
        hashed = blake2b(digest_size=16)
        for name, document in sorted(self.documents.items()):
            hashed.update(name.encode() + b"\xff" + document.content + b"\xff")
            for scalar in scalars(document.root):
                for variable, value in scalar.secrets.items():
                    hashed.update(f"{variable}={value}".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()


def _probes(
    loading: _Loading, kinds: Mapping[str, Kind], *, wanted: bool
) -> tuple[tuple[ProbeSpec, ...], Retention, list[Named]]:
    opened = loading.open(PROBES) if wanted else None
    if opened is None:
        return (), Retention(), []
    document, source = opened
    found, retention = read_probes(document.root, source, kinds)
    return found, retention, named(document.root, "probe", source)


def _alerts(loading: _Loading) -> tuple[Alerting | None, list[Named], frozenset[str]]:
    opened = loading.open(ALERTS)
    if opened is None:
        return None, [], frozenset()
    document, source = opened
    rules = named(document.root, "rule", source)
    return read_alerts(document.root, source), rules, names_of_group_rules(document.root)


def _oncall(loading: _Loading, kinds: Mapping[str, Kind]) -> OnCall | None:
    opened = loading.open(ONCALL)
    if opened is None:
        return None
    document, source = opened
    return read_oncall(document.root, source, kinds)
