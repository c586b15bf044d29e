"""Files into trees: what is no configuration gets one sentence, and quickly."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.config.nodes import Items, plain
from stewardmon.config.notes import Notes
from stewardmon.config.reader import LARGEST, parse, read


def said(content: bytes) -> list[str]:
    notes = Notes()
    parse(content, notes, name="a.yml")
    return [str(mistake) for mistake in notes.mistakes]


def value(content: str) -> object:
    notes = Notes()
    document = parse(content.encode(), notes, name="a.yml")
    assert document is not None, notes
    assert not notes.mistakes
    return plain(document.root)


def test_yaml_keeps_no_surprises_of_its_first_version() -> None:
    text = "a: on\nb: 10:00\nc: 010\nd: 2026-01-05\ne: 0x1F\nf: 1_000\ng: =\nh: yes\ni: NO\n"
    assert value(text) == {
        "a": "on",
        "b": "10:00",
        "c": "010",
        "d": "2026-01-05",
        "e": "0x1F",
        "f": "1_000",
        "g": "=",
        "h": "yes",
        "i": "NO",
    }


def test_yaml_types_what_its_core_schema_types() -> None:
    text = 'a: 5\nb: -0.5\nc: true\nd: FALSE\ne: ~\nf:\ng: 1e3\nh: .inf\ni: "5"\nj: ! 5\nk: 0\n'
    assert value(text) == {
        "a": 5,
        "b": -0.5,
        "c": True,
        "d": False,
        "e": None,
        "f": None,
        "g": 1000.0,
        "h": float("inf"),
        "i": "5",
        "j": "5",
        "k": 0,
    }


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert value("") == {}
    assert value("# only a comment\n") == {}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert value("\ufeffa: 1") == {"a": 1}


def test_an_anchor_may_be_used_again() -> None:
    assert value("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfea", "a.yml: the file is UTF-16: save it as UTF-8"),
        (b"a: b\nb: \xe4", "a.yml:2:4: byte 0xe4 is not UTF-8: save the file as UTF-8 text"),
        (b"a: \x00", "a.yml:1:4: byte 0x00 has no place in a text file"),
        (b"a: 1\na: 2", "a.yml:2:1: duplicate key 'a': it stands at 1:1 too"),
        (b"a:\n  \tb: 1", "a.yml:2:3: a tab indents: YAML wants spaces"),
        (b"a: &x [*x]", "a.yml:1:8: *x stands inside what it names"),
        (b"[a]: b", "a.yml:1:1: a key must be a single word, not a list or a mapping"),
        (
            b"a: {b: ${C}}",
            'a.yml:1:9: this is not YAML: inside [ ] and { } a reference wants quotes: "${NAME}"',
        ),
        (b"plain", "a.yml:1:1: a mapping is wanted here: `key: value` lines"),
        (b"a: 1\n---\nb: 2", "a.yml:2:1: a second document begins: one a file is read"),
    ],
)
def test_what_is_no_configuration_gets_one_sentence(content: bytes, sentence: str) -> None:
    assert said(content) == [sentence]


def test_nesting_is_bounded() -> None:
    assert said(b"a: " + b"[" * 100_000) == [
        "a.yml:1:44: lists and mappings nest deeper than 40 levels"
    ]


def test_aliases_are_bounded() -> None:
    laughs = ["a0: &a0 [" + "x, " * 9 + "x]"]
    laughs += [f"a{n}: &a{n} [" + f"*a{n - 1}, " * 9 + f"*a{n - 1}]" for n in range(1, 10)]
    assert said("\n".join(laughs).encode()) == [
        "a.yml:5:10: aliases stand for more than 20000 values"
    ]


def test_values_are_bounded() -> None:
    assert said(b"a:\n" + b"- 1\n" * 700_000) == [
        "a.yml: the file holds more than 600000 values, the most that is read"
    ]


def test_a_large_file_is_refused_without_being_parsed(tmp_path: Path) -> None:
    path = tmp_path / "probes.yml"
    path.write_bytes(b"a: 1\n" * (2 * LARGEST // 5))
    notes = Notes()
    assert read(path, notes) is None
    assert [str(mistake) for mistake in notes.mistakes] == [
        "probes.yml: the file is larger than 5 MB, the most that is read"
    ]


def test_a_directory_a_pipe_and_nothing_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "b")
    (tmp_path / "d").symlink_to("d")
    notes = Notes()
    for name in "abcd":
        read(tmp_path / name, notes)
    assert [mistake.message for mistake in notes.mistakes] == [
        "this is a directory: a file is wanted here",
        "this is a device or a pipe: a regular file is wanted here",
        "there is no such file",
        "the file cannot be read: Too many levels of symbolic links",
    ]


@given(st.binary(max_size=300))
def test_garbage_is_read_or_refused_and_never_raises(content: bytes) -> None:
    notes = Notes()
    document = parse(content, notes, name="a.yml")
    assert (document is None) <= bool(notes.mistakes)


@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@#?\n \t$`0.", max_size=60))
def test_near_yaml_is_read_or_refused_and_never_raises(text: str) -> None:
    notes = Notes()
    document = parse(text.encode(), notes, name="a.yml")
    assert (document is None) <= bool(notes.mistakes)


def test_a_megabyte_of_noise_is_refused() -> None:
    noise = random.Random(5).randbytes(1_000_000)
    assert len(said(noise)) == 1


def test_places_count_characters_from_one() -> None:
    document = parse("ä: [ü, é]\n".encode(), Notes(), name="a.yml")
    assert document is not None
    items = document.root.nodes["ä"]
    assert isinstance(items, Items)
    assert [tuple(node.place) for node in items.nodes] == [(1, 5), (1, 8)]
