"""Probes from the guide's own variables, for whoever has written no probes.yml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stewardmon.config.binding import Source
from stewardmon.config.interpolation import FILE_SUFFIX, interpolate
from stewardmon.config.notes import Notes
from stewardmon.config.placeholders import refuse_placeholders
from stewardmon.config.probes import read_probes
from stewardmon.config.reader import parse
from stewardmon.ports import Kind, ProbeSpec

ORIGIN: Final = "environment"

# One block of probes.yml for each variable of the guide that names something to watch.
BLOCKS: Final[Mapping[str, str]] = {
    "NEXT_PUBLIC_APP_URL": """
  - name: app
    kind: http
    job: app
    url: ${NEXT_PUBLIC_APP_URL}/api/health
    expect:
      status: [200]
      json:
        status: {in: [healthy]}
        services.*: {in: [healthy]}
      fresh: {path: timestamp, within: 30s}
""",
    "DATABASE_URL": """
  - name: database
    kind: postgres
    job: database
    url: ${DATABASE_URL}
""",
    "OPENAI_API_KEY": """
  - name: openai
    kind: openai
    job: openai
    url: ${OPENAI_BASE_URL:-https://api.openai.com/v1}
    key: ${OPENAI_API_KEY}
    interval: 60s
""",
    "SUPABASE_URL": """
  - name: supabase-auth
    kind: http
    job: supabase
    url: ${SUPABASE_URL}/auth/v1/health
    interval: 60s
    expect: {status: [200, 401]}
""",
}
HEADER: Final = "defaults: {interval: 15s, timeout: 5s}\nprobes:"
VARIABLES: Final = (*BLOCKS, "SENTRY_DSN")


def guide_probes(
    environ: Mapping[str, str], kinds: Mapping[str, Kind], notes: Notes
) -> tuple[ProbeSpec, ...]:
    """Return a probe for each variable of the guide that is set; with none it is a mistake."""
    named = {name for name in BLOCKS if environ.get(name) or environ.get(name + FILE_SUFFIX)}
    blocks = [block for name, block in BLOCKS.items() if name in named]
    if not blocks:
        *most, last = VARIABLES
        notes.add(
            ORIGIN,
            None,
            f"there is nothing to watch: no probes.yml, and none of {', '.join(most)} and {last} "
            "is set; set those of the guide's variables that you have, write a probes.yml, or see it "
            "work first with `stewardmon demo`",
        )
        return ()
    text = HEADER + "".join(blocks)
    document = parse(text.encode(), notes, name=ORIGIN)
    if document is None:
        return ()
    interpolate(document.root, environ, notes, file=ORIGIN, lines=document.lines)
    refuse_placeholders(document.root, notes, file=ORIGIN)
    source = Source(file=ORIGIN, lines=document.lines, notes=notes)
    return read_probes(document.root, source, kinds)[0]
