"""What the configured probes spend in a day, by host: requests, AI queries, tokens, connections."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from stewardmon.config.values import Config
from stewardmon.ports import Kind

DAY: Final = timedelta(days=1)


def spending(config: Config, kinds: Mapping[str, Kind]) -> list[str]:
    """Return one line an instance: `api.example.com: 5,760 requests a day`."""
    by_host: dict[str, Counter[str]] = defaultdict(Counter)
    for spec in config.probes:
        times = DAY / spec.every
        for what, count in asdict(kinds[spec.kind].cost(spec.settings)).items():
            if count:
                by_host[spec.instance][what.replace("_", " ")] += round(count * times)
    return [
        f"{host or 'this machine'}: "
        + ", ".join(f"{count:,} {what}" for what, count in spent.items())
        + " a day"
        for host, spent in sorted(by_host.items())
    ]
