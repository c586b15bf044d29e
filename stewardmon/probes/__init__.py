"""Every kind of probe, by the name that probes.yml gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.kinds import Kinds
from stewardmon.ports import Kind

KINDS: Final[Mapping[str, Kind]] = Kinds(
    __name__,
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
    },
)
