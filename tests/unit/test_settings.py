"""Settings are plain, read by pydantic, and say nothing of what is secret."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from stewardmon.channels import KINDS as CHANNELS
from stewardmon.probes import KINDS as PROBES
from stewardmon.settings import UNSET, ByteSize, Duration, Field, FilePath, Secret, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Settings):
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer(Settings):
    key: Secret
    wait: Duration = timedelta(seconds=5)
    size: ByteSize = Field(default=1, gt=0)
    sender: str = Field(default="", alias="from")
    inner: Mapping[str, Inner] = Field(default_factory=dict)
    file: FilePath | None = None


def test_text_becomes_what_the_annotations_say() -> None:
    read = Outer.model_validate(
        {"key": "k", "wait": "1m30s", "size": "2 KiB", "from": "me", "inner": {"a": {"word": "b"}}}
    )
    assert read == Outer(
        key=Secret("k"),
        wait=timedelta(seconds=90),
        size=2048,
        sender="me",
        inner={"a": Inner(word="b")},
    )
    assert type(read.size) is int  # pydantic's own would take pydantic along
    assert Outer.model_validate({"key": Secret("k")}) == Outer(key=Secret("k"))


@pytest.mark.parametrize(
    "given",
    [
        {"key": "hunter2", "colour": "hunter2"},
        {"key": ["hunter2"]},
        {"key": "k", "size": "hunter2"},
        {"key": "k", "size": 0, "wait": ["hunter2"]},
        {"key": "k", "file": "/hunter2"},
        {"key": "k", "inner": {"a": {"word": ["hunter2"]}}},
    ],
)
def test_a_mistake_is_an_error_that_repeats_nothing(given: Any) -> None:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(given)
    assert "hunter2" not in str(error.value)


def test_a_secret_shows_nothing_and_survives_the_way_between_processes() -> None:
    made = Outer(key=Secret("hunter2"))
    assert "hunter2" not in f"{made} {made!r} {made.key} {made.key!r}"
    again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    assert again == made
    assert again.key.get_secret_value() == "hunter2"
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET  # noqa: S301 - our own


def _kinds() -> Iterator[type[Settings]]:
    for kinds in (PROBES, CHANNELS):
        for kind in kinds.values():
            yield kind.settings
    waiting = [Settings]
    while waiting:
        found = waiting.pop().__subclasses__()
        yield from found
        waiting += found


def test_all_settings_are_dataclasses_of_their_own() -> None:
    # A class that only inherits the decorator would silently lack the keys that it adds.
    assert [one for one in _kinds() if "__dataclass_params__" not in vars(one)] == []
    assert all(vars(one)["__dataclass_params__"].frozen for one in _kinds())
