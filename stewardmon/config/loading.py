"""All three files and the environment into one Config, or every mistake at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from stewardmon.config.alerts import Alerting, read_alerts
from stewardmon.config.binding import Source
from stewardmon.config.budget import check_budget
from stewardmon.config.crosscheck import check_dependencies, check_levels
from stewardmon.config.guide import guide_probes
from stewardmon.config.interpolation import interpolate
from stewardmon.config.nodes import Entries, Items, Scalar, scalars
from stewardmon.config.notes import Notes
from stewardmon.config.oncall import OnCall, read_oncall
from stewardmon.config.placeholders import refuse_placeholders
from stewardmon.config.probes import Retention, declared, read_probes
from stewardmon.config.reader import Document, read
from stewardmon.config.shipped import ALERTS, ONCALL, PROBES, shipped
from stewardmon.config.values import Config
from stewardmon.domain.rule import AlertRule
from stewardmon.ports import Kind, ProbeSpec


class Loading:
    """One reading of a folder: what was read, and what is wrong with it."""

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.notes = Notes()
        self.documents: dict[str, Document] = {}

    def open(self, name: str, *, fall_back: bool) -> tuple[Document, Source] | None:
        """Return the file of that name, the operator's or (where wanted) the shipped one."""
        path = self.folder / name if self.folder else None
        if path is None or not (path.exists() or path.is_symlink()):
            self._look_for_yaml(name)
            if not fall_back:
                return None
            path = shipped() / name
        document = read(path, self.notes)
        if document is None:
            return None
        self.documents[name] = document
        # Prometheus' own groups mean the same here as there: nothing in them is replaced.
        mine = document.root.less("groups") if name == ALERTS else document.root
        interpolate(mine, self.environ, self.notes, file=name, lines=document.lines)
        if name != ALERTS:
            refuse_placeholders(mine, self.notes, file=name)
        return document, Source(file=name, lines=document.lines, notes=self.notes)

    def _look_for_yaml(self, name: str) -> None:
        other = Path(name).with_suffix(".yaml").name
        if self.folder and (self.folder / other).exists():
            self.notes.add(other, None, f"this file is not read: call it {name}")

    def digest(self) -> str:
        """Return a hash of what was read: the files, and what the environment put into them."""
        hashed = blake2b(digest_size=16)
        for name, document in sorted(self.documents.items()):
            hashed.update(name.encode() + b"\xff" + document.content + b"\xff")
            for scalar in scalars(document.root):
                for variable, value in scalar.secrets.items():
                    hashed.update(f"{variable}={value}".encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()


def load(
    folder: Path | None,
    environ: Mapping[str, str],
    *,
    probe_kinds: Mapping[str, Kind] | None = None,
    channel_kinds: Mapping[str, Kind] | None = None,
) -> Config:
    """Return what the folder's files and the environment say. Raises ConfigError with everything.

    Where the folder (or the file in it) is missing, the guide's variables make the probes, and the
    shipped alerts.yml and oncall.yml hold.
    """
    probe_kinds = probe_kinds or _kinds("probes")
    channel_kinds = channel_kinds or _kinds("channels")
    loading = Loading(folder, environ)
    notes = loading.notes
    if folder is not None and not folder.is_dir():
        notes.add(str(folder), None, "this is no directory: name the one that holds probes.yml")
        notes.check()
    probes, retention, probe_names = _probes(loading, probe_kinds)
    alerting, rule_names = _alerts(loading)
    oncall = _oncall(loading, channel_kinds)
    rules = [
        rule for group in alerting.groups for rule in group.rules if isinstance(rule, AlertRule)
    ]
    check_dependencies(probes, rules, probe_names=probe_names, rule_names=rule_names, notes=notes)
    check_levels(rules, oncall.policies if oncall else {}, notes=notes)
    check_budget(probes, probe_kinds, notes=notes, environ=environ)
    notes.check()
    assert oncall is not None  # noqa: S101 - a missing oncall.yml was a mistake above
    return Config(
        probes=probes,
        groups=alerting.groups,
        channels=oncall.channels,
        roster=oncall.roster,
        policies=oncall.policies,
        routes=oncall.routes,
        inhibit_rules=oncall.inhibit_rules,
        flapping=oncall.flapping,
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


def _kinds(package: str) -> Mapping[str, Kind]:
    kinds: Mapping[str, Kind] = importlib.import_module(f"stewardmon.{package}").KINDS
    return kinds


def _probes(
    loading: Loading, kinds: Mapping[str, Kind]
) -> tuple[tuple[ProbeSpec, ...], Retention, frozenset[str]]:
    before = len(loading.notes.mistakes)
    opened = loading.open(PROBES, fall_back=False)
    if opened is None:
        if len(loading.notes.mistakes) > before:
            return (), Retention(), frozenset()
        probes = guide_probes(loading.environ, kinds, loading.notes)
        return probes, Retention(), frozenset(probe.name for probe in probes)
    document, source = opened
    found, retention = read_probes(document.root, source, kinds)
    return found, retention, declared(document.root)


def _alerts(loading: Loading) -> tuple[Alerting, frozenset[str]]:
    opened = loading.open(ALERTS, fall_back=True)
    if opened is None:
        return Alerting(), frozenset()
    document, source = opened
    return read_alerts(document.root, source), _rule_names(document.root)


def _rule_names(root: Entries) -> frozenset[str]:
    names = set()
    for key, one in (("alerts", "name"), ("alert", "alert")):
        for node in _listed(root, key):
            name = node.nodes.get(one)
            if isinstance(name, Scalar):
                names.add(name.text)
    return frozenset(names)


def _listed(root: Entries, key: str) -> list[Entries]:
    if key == "alerts":
        return _items(root, "alerts")
    return [rule for group in _items(root, "groups") for rule in _items(group, "rules")]


def _items(node: Entries, key: str) -> list[Entries]:
    found = node.nodes.get(key)
    if not isinstance(found, Items):
        return []
    return [one for one in found.nodes if isinstance(one, Entries)]


def _oncall(loading: Loading, kinds: Mapping[str, Kind]) -> OnCall | None:
    opened = loading.open(ONCALL, fall_back=True)
    if opened is None:
        return None
    document, source = opened
    return read_oncall(document.root, source, kinds)
