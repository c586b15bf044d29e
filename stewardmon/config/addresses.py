"""What any address must have, whatever kind of probe or channel it is for."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from stewardmon.config.nodes import Entries, Scalar
from stewardmon.config.sentences import shown, unshown
from stewardmon.config.source import Source, refused, secrets_of

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOSTLESS: Final = frozenset({"postgres", "postgresql", "file", "unix", "sqlite"})
_LABEL: Final = re.compile(r"[^\s/?#@\\<>^`{|}\"]+")
LONGEST: Final = 2048


def check_addresses(entry: Entries, source: Source, *, what: str) -> bool:
    """Check every `url` key of the mapping, each mistake noted; say whether all are sound."""
    sound = True
    for key, node in entry.nodes.items():
        if (key != "url" and not key.endswith("_url")) or not isinstance(node, Scalar):
            continue
        wrong = None if node.value is None else misspelt(node.text)
        if wrong:
            sound = False
            if not refused(node):
                told = unshown(wrong, secrets_of(node))
                source.add(entry.keys[key], f"{key} {shown(node)} {told} (for {what})")
    return sound


def misspelt(url: str) -> str | None:
    """Return what is wrong with an absolute address, None if nothing that can be seen."""
    if len(url) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "holds a space or a character that cannot be seen"
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "is no address: it must begin with a scheme, such as https://"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return _reason(str(error))
    if not host and parts.scheme not in _HOSTLESS:
        return f"names no host after {scheme[0]}"
    if port == 0:
        return "names port 0: ports go from 1 to 65535"
    if host and not _LABEL.fullmatch(host):
        return "names a host with characters that no host has"
    return None


def _reason(error: str) -> str:
    if "ort" in error:  # "Port out of range 0-65535", "Port could not be cast to integer…"
        return "names a port that is none: ports go from 1 to 65535"
    return "is no address: its host cannot be read"
