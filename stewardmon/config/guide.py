"""A probes.yml from the guide's own variables, for whoever has written none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from stewardmon.config.interpolation import FILE_SUFFIX, Missing, lookup

_HEADER: Final = "defaults: {interval: 15s, timeout: 5s}\nprobes:\n"
_APP: Final = """
  - name: app
    kind: health
    job: app
    url: ${NEXT_PUBLIC_APP_URL}/api/health
"""
_DATABASE: Final = """
  - name: database
    kind: postgres
    job: database
    url: ${DATABASE_URL}
"""
_OPENAI: Final = """
  - name: openai
    kind: openai
    job: openai
    url: ${OPENAI_BASE_URL:-https://api.openai.com/v1}
    key: ${OPENAI_API_KEY}
    interval: 60s
"""
# The rest of the ladder (PLATFORM.md section 3): some hundred tiny answers a day, and the vendor's
# own word. A server of another vendor is asked for the model that OPENAI_MODEL names.
_OPENAI_CHAT: Final = """
  - name: openai-chat
    kind: openai_chat
    job: openai
    url: ${OPENAI_BASE_URL:-https://api.openai.com/v1}
    key: ${OPENAI_API_KEY}
    model: ${OPENAI_MODEL:-gpt-4o-mini}
    interval: 5m
    timeout: 30s
    confirm: true
    depends_on: [openai]
"""
_OPENAI_STATUS: Final = """
  - name: openai-status
    kind: statuspage
    job: vendor
    url: ${OPENAI_STATUS_URL:-https://status.openai.com}
    interval: 60s
"""
# Supabase's gateway answers 401 where no key is sent, and GoTrue its own health where one is.
_SUPABASE: Final = """
  - name: supabase-auth
    kind: http
    job: supabase
    url: ${SUPABASE_URL}/auth/v1/health
    interval: 60s
"""
_WITH_KEY: Final = "    headers: {apikey: '${SUPABASE_ANON_KEY}'}\n    expect: {status: [200]}\n"
_WITHOUT_KEY: Final = "    expect: {status: [200, 401]}\n"
# Whatever Sentry's ingest says to a request without an event, it is there to say it.
_SENTRY: Final = """
  - name: sentry-ingest
    kind: http
    job: sentry
    url: "{address}"
    interval: 60s
    expect: {{status: [2xx, 4xx]}}
"""
# Every five minutes: the app's limits (100 requests in 15 minutes, 10 questions a minute) stay far
# away, and its AI provider is paid for some hundred questions a day.
_AGENT: Final = """
  - name: {name}
    kind: {kind}
    job: agent
    url: ${{NEXT_PUBLIC_APP_URL}}
    supabase_url: ${{SUPABASE_URL}}
    anon_key: ${{SUPABASE_ANON_KEY}}
    email: ${{SYNTHETIC_EMAIL}}
    password: ${{SYNTHETIC_PASSWORD}}
    interval: {interval}
    timeout: 30s
    confirm: true
    depends_on: [{needs}]
"""
_AGENTS: Final = (
    ("agent", "agent", "5m", ""),
    ("agent-stream", "agent", "5m", "    mode: stream\n    stranger: false\n"),
    ("agent-metrics", "agent_metrics", "4m", ""),
    ("agent-contract", "agent_contract", "1h", ""),
    ("agent-cache", "agent_cache", "30m", ""),
)
_OTHER: Final = "    other_email: ${OTHER_EMAIL}\n    other_password: ${OTHER_PASSWORD}\n"
_USER: Final = (
    "NEXT_PUBLIC_APP_URL",
    "SUPABASE_URL",
    "SUPABASE_ANON_KEY",
    "SYNTHETIC_EMAIL",
    "SYNTHETIC_PASSWORD",
)
_NEEDS: Final[Mapping[str, str]] = {
    "NEXT_PUBLIC_APP_URL": "app",
    "DATABASE_URL": "database",
    "OPENAI_API_KEY": "openai",
    "SUPABASE_URL": "supabase-auth",
}
_BLOCKS: Final[Mapping[str, str]] = {
    "NEXT_PUBLIC_APP_URL": _APP,
    "DATABASE_URL": _DATABASE,
    "OPENAI_API_KEY": _OPENAI,
    "SUPABASE_URL": _SUPABASE,
}
VARIABLES: Final = (*_BLOCKS, "SENTRY_DSN")


def guide_text(environ: Mapping[str, str]) -> str | None:
    """Return a probes.yml that watches what the guide's variables name, None where none is set."""
    blocks = [block for name, block in _BLOCKS.items() if _is_set(name, environ)]
    if _SUPABASE in blocks:
        blocks.append(_WITH_KEY if _is_set("SUPABASE_ANON_KEY", environ) else _WITHOUT_KEY)
    blocks += [*_openai(environ), *_agents(environ)]
    sentry = _ingest(environ)
    if sentry:
        blocks.append(_SENTRY.format(address=sentry))
    return _HEADER + "".join(blocks) if blocks else None


def _openai(environ: Mapping[str, str]) -> list[str]:
    """Return the canary, and the status page where it is about the vendor that is asked."""
    if not _is_set("OPENAI_API_KEY", environ):
        return []
    theirs = not _is_set("OPENAI_BASE_URL", environ)
    chat = [_OPENAI_CHAT] if theirs or _is_set("OPENAI_MODEL", environ) else []
    status = [_OPENAI_STATUS] if theirs or _is_set("OPENAI_STATUS_URL", environ) else []
    return chat + status


def _agents(environ: Mapping[str, str]) -> list[str]:
    """Return the probes that ask as the synthetic user; none where no such user is named."""
    if not all(_is_set(name, environ) for name in _USER):
        return []
    needs = ", ".join(probe for name, probe in _NEEDS.items() if _is_set(name, environ))
    more = {
        "agent_contract": _OTHER if _is_set("OTHER_EMAIL", environ) else "",
        "agent_cache": _OTHER if _is_set("OTHER_EMAIL", environ) else "",
    }
    database = "    database: ${DATABASE_URL}\n" if _is_set("DATABASE_URL", environ) else ""
    return [
        _AGENT.format(name=name, kind=kind, interval=interval, needs=needs)
        + own
        + more.get(kind, "")
        + ("" if kind == "agent_cache" else database)
        for name, kind, interval, own in _AGENTS
    ]


def lacks_user(environ: Mapping[str, str]) -> str:
    """Return how to have the agent asked, empty where it is asked or there is no app."""
    missing = [name for name in _USER if not _is_set(name, environ)]
    if not missing or not _is_set("NEXT_PUBLIC_APP_URL", environ):
        return ""
    return f"nobody asks the agent as a user does: set {', '.join(missing)}"


def trimmed(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with no slash at the end of the addresses that paths are put to."""
    addresses = ("NEXT_PUBLIC_APP_URL", "SUPABASE_URL")
    found = {name: environ[name].rstrip("/") for name in addresses if name in environ}
    return {**environ, **found}


def _is_set(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name) or environ.get(name + FILE_SUFFIX))


def _ingest(environ: Mapping[str, str]) -> str:
    """Return the address at which Sentry takes events, empty where no sound DSN is set.

    Of the DSN only the host and the project are used: its key stays out of every address. A DSN
    that is wrong is refused where the daemon's own settings are read.
    """
    try:
        parts = urlsplit(lookup("SENTRY_DSN", environ) or "")
        host, port = parts.hostname, parts.port
    except (Missing, ValueError):
        return ""
    project = parts.path.rpartition("/")[2]
    plain = host is not None and host.replace("-", "").replace(".", "").isalnum()
    if not plain or parts.scheme not in {"http", "https"} or not project.isdigit():
        return ""
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}/api/{project}/envelope/"
