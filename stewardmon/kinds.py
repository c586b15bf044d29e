"""Tables of kinds whose modules are imported when they are first looked up, not before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from stewardmon.ports import Kind


class Kinds(Mapping[str, Kind]):
    """Kinds by name, each `KIND` of a module in `package`, or what stands behind a colon there.

    Drivers and settings are heavy: psycopg alone takes as long to import as the rest of a probe,
    and each settings model has a validator built for it.
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places = places

    def __getitem__(self, name: str) -> Kind:
        module, _, attribute = self._places[name].partition(":")
        kind: Kind = getattr(import_module(f"{self._package}.{module}"), attribute or "KIND")
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._places  # Mapping's own would import the kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
