"""Every kind of probe, by the name that probes.yml gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from stewardmon.ports import Kind


class _Kinds(Mapping[str, Kind]):
    """Kinds by name; a kind's module is imported when it is first looked up, not before.

    Drivers are heavy: psycopg alone takes as long to import as the rest of a probe.
    """

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> Kind:
        kind: Kind = import_module(f"{__name__}.{self._modules[name]}").KIND
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


KINDS: Final[Mapping[str, Kind]] = _Kinds(
    {
        "http": "http",
        "health": "health",
        "agent": "agent",
        "agent_cache": "agent_cache",
        "agent_contract": "agent_contract",
        "agent_metrics": "agent_metrics",
        "encryption": "encryption",
        "flow": "flow",
        "postgres": "postgres",
        "postgres_query": "postgres_query",
        "postgres_depth": "postgres_depth",
        "openai": "openai",
        "openai_chat": "openai_chat",
        "openai_embeddings": "openai_embeddings",
        "openai_costs": "openai_costs",
        "tcp": "tcp",
        "tls": "tls",
        "dns": "dns",
        "backup": "backup",
        "heartbeat": "heartbeat",
        "logs": "logs",
        "page": "page",
        "restore": "restore",
        "security": "security",
        "sentry": "sentry",
        "statuspage": "statuspage",
        "supabase": "supabase",
        "vercel": "vercel",
    }
)
