"""Label sets and the matchers that select them: the identity of every series and alert."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

from stewardmon.errors import ExpressionError

NAME: Final = "__name__"
METADATA: Final = frozenset({NAME, "__type__", "__unit__"})
"""The labels that say what a value is: whatever changes the value drops them."""


Pair = tuple[str, str]


class Labels(Mapping[str, str]):
    """An immutable label set; an empty value equals a missing label, as in Prometheus.

    `pairs` is sorted by name, so equal sets have equal pairs; the hash is computed once, because
    label sets are dictionary keys on every hot path.
    """

    __slots__ = ("_fingerprint", "_hash", "_nameless", "pairs")

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs: Iterable[tuple[str, str]]
        if type(labels) is dict:  # asked first: `isinstance` of an abstract class takes long
            pairs = labels.items()
            if "" in labels.values():
                pairs = [pair for pair in pairs if pair[1] != ""]
        else:
            given = () if isinstance(labels, Mapping) else tuple(labels)
            known = {name: value for name, value in dict(given or labels).items() if value != ""}
            # Pairs that came as such are kept: the series of one probe share what identifies it.
            pairs = given if len(given) == len(known) else known.items()
        self._become(tuple(sorted(pairs)))

    @classmethod
    def _of(cls, pairs: Iterable[tuple[str, str]]) -> Labels:
        """Return the set of these pairs: sorted by name, each name once, no empty value."""
        labels = cls.__new__(cls)
        labels._become(tuple(pairs))  # noqa: SLF001 - our own
        return labels

    @classmethod
    def sharing(cls, labels: Mapping[str, str], known: dict[Pair, Pair]) -> Labels:
        """Return the set of these labels, made of the pairs in `known`, which gets the new ones.

        Of sets that came together, and agree on most: each pair is then in memory once.
        """
        return cls._of(sorted([known.setdefault(pair, pair) for pair in labels.items() if pair[1]]))

    def _become(self, pairs: tuple[tuple[str, str], ...]) -> None:
        # No dictionary beside them: of a handful of pairs the right one is soon found, and a
        # dictionary takes more room than all the rest of a series' identity.
        self.pairs = pairs
        self._hash: int | None = None
        self._fingerprint = ""
        self._nameless: Labels | None = None

    def __getitem__(self, name: str) -> str:
        for known, value in self.pairs:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        known = self._hash
        if known is None:  # annotations are the key of nothing
            known = self._hash = hash(self.pairs)
        return known

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make it anew: a hash of text is another one in every process."""
        return Labels._of, (self.pairs,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self.pairs == other.pairs

    def __repr__(self) -> str:
        inside = ", ".join(f'{name}="{value}"' for name, value in self.pairs if name != NAME)
        return f"{self.value(NAME)}{{{inside}}}"

    def value(self, name: str) -> str:
        """Return the label's value, empty where the label is missing."""
        for known, value in self.pairs:
            if known == name:
                return value
        return ""

    @property
    def nameless(self) -> Labels:
        """The set less the metric name and what else says what the value was (kept once made)."""
        known = self._nameless
        if known is None:
            named = any(name in METADATA for name, _ in self.pairs)
            known = self.without(*METADATA) if named else self
            self._nameless = known
        return known

    def without(self, *names: str) -> Labels:
        """Return the set less `names`."""
        return Labels._of([pair for pair in self.pairs if pair[0] not in names])

    def only(self, *names: str) -> Labels:
        """Return the part of the set that `names` name."""
        return Labels._of([pair for pair in self.pairs if pair[0] in names])

    def merged(self, other: Mapping[str, str]) -> Labels:
        """Return the set with `other` laid over it; an empty value there removes a label."""
        return Labels({**dict(self.pairs), **other})

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that are the same in every process for equal sets."""
        if self._fingerprint:
            return self._fingerprint
        texts = [text.encode("utf-8", "surrogatepass") for pair in self.pairs for text in pair]
        digest = blake2b(b"\xff".join([*texts, b""]), digest_size=8)
        self._fingerprint = digest.hexdigest()
        return self._fingerprint


class Op(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


_LISTED: Final = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[!-/:-@\[\]^`{-~])*")
"""Words with `|` between them, and no character that means more than itself but escaped ones."""


@dataclass(frozen=True, slots=True)
class _Words:
    """A regular expression that only lists words: most of them, and a set finds them sooner."""

    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Words | None:
        """Return the words, None where the expression is more than a list."""
        if not _LISTED.fullmatch(text):
            return None
        words = re.split(r"(?<!\\)\|", text)
        return cls(frozenset(re.sub(r"\\(.)", r"\1", word) for word in words))

    def fullmatch(self, value: str) -> str | None:
        """Return the value where it is one of the words."""
        return value if value in self.words else None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; regular expressions are RE2 and match the whole value.

    Raises ExpressionError when the regular expression is not RE2 or compiles too large.
    """

    name: str
    op: Op
    text: str
    _pattern: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op not in (Op.MATCHES, Op.NOT_MATCHES):
            return
        words = _Words.of(self.text)
        object.__setattr__(self, "_pattern", words or compile_anchored(self.text))

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make it anew: what is compiled belongs to one process."""
        return Matcher, (self.name, self.op, self.text)

    def __str__(self) -> str:
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{escaped}"'

    def matches(self, labels: Labels) -> bool:
        """Say whether the label set meets the condition; a missing label reads as empty."""
        return self.accepts(labels.value(self.name))

    def accepts(self, value: str) -> bool:
        """Say whether one label value meets the condition."""
        if self.op is Op.EQUAL:
            return value == self.text
        if self.op is Op.NOT_EQUAL:
            return value != self.text
        found = self._pattern.fullmatch(value) is not None
        return found if self.op is Op.MATCHES else not found


def metric_name(matchers: Iterable[Matcher]) -> str:
    """Return the one metric that the matchers select from, empty where they name none."""
    for matcher in matchers:
        if matcher.name == NAME and matcher.op is Op.EQUAL:
            return matcher.text
    return ""


def compile_anchored(text: str) -> Any:
    """Return RE2's compiled pattern; a dot matches a newline, as in Prometheus since 3.0."""
    import re2  # noqa: PLC0415 - 2.5 MB that a configuration without regular expressions saves

    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise ExpressionError(f"invalid regular expression {text!r}: {reason}") from None
