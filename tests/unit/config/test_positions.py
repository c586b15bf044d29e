"""A column inside a value points at the same character in the file, whatever the style."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.config.nodes import Entries, Scalar
from stewardmon.config.notes import Notes
from stewardmon.config.positions import place_in
from stewardmon.config.reader import Document, parse


def document(text: str) -> tuple[Scalar, Document]:
    found = parse(text.encode(), Notes(), name="a.yml")
    assert found is not None
    scalar = found.root.nodes["a"]
    assert isinstance(scalar, Scalar)
    return scalar, found


def pointed(text: str, word: str) -> str:
    """Return what stands in the file where `word` stands in the value."""
    scalar, found = document(text)
    line, column = place_in(scalar, scalar.text.index(word) + 1, found.lines)
    return found.lines[line - 1][column - 1 :][: len(word)]


@pytest.mark.parametrize(
    "text",
    [
        "a: one two three # a comment\n",
        "a: 'one two three'\n",
        'a: "one two three" # two\n',
        "a:\n  one\n  two\n  three\nb: 1\n",
        "a: one\n  two\n\n  three\n",
        "a: 'one\n  two\n  three'\n",
        "a: |\n  one\n    two\n  three\n",
        "a: >\n  one\n  two\n  three\n",
        "a: >-\n\n  one\n\n  two three\n",
        "a: |2-\n    one two\n  three",
        "a: {b: 1}\n".replace("{b: 1}", "one two three"),
    ],
)
@pytest.mark.parametrize("word", ["one", "two", "three"])
def test_a_word_is_found_again(text: str, word: str) -> None:
    assert pointed(text, word) == word


def test_a_value_inside_a_flow_mapping() -> None:
    found = parse(b"a: {b: x > 1, c: 2}\n", Notes(), name="a.yml")
    assert found is not None
    inner = found.root.nodes["a"]
    assert isinstance(inner, Entries)
    scalar = inner.nodes["b"]
    assert isinstance(scalar, Scalar)
    assert place_in(scalar, 3, found.lines) == (1, 10)


def test_an_unknown_column_is_the_values_beginning() -> None:
    scalar, found = document("a: one\n")
    assert place_in(scalar, 0, found.lines) == (1, 4)


WORDS = st.lists(st.text(alphabet="abcde()=<>", min_size=1, max_size=6), min_size=1, max_size=12)


@given(WORDS, st.sampled_from(["|", ">", "|-", ">-", "plain", "'", '"']), st.data())
def test_every_word_of_any_value_is_found_again(
    words: list[str], style: str, data: st.DataObject
) -> None:
    words = [f"w{index}{word}" for index, word in enumerate(words)]
    joints = [data.draw(st.sampled_from([" ", "\n  "])) for _ in words[1:]]
    body = words[0] + "".join(joint + word for joint, word in zip(joints, words[1:], strict=True))
    text = {"plain": f"a: {body}\n", "'": f"a: '{body}'\n", '"': f'a: "{body}"\n'}.get(
        style, f"a: {style}\n  {body}\n"
    )
    for word in words:
        assert pointed(text, word) == word
