"""A regular expression that only lists words selects what RE2 would select."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.labels import Matcher, Op, compile_anchored

LETTERS = list("ab|_:- /.\n")
ESCAPED = [rf"\{one}" for one in ".|-/:+"]
LISTS = st.lists(st.sampled_from(LETTERS + ESCAPED), max_size=8).map("".join)
VALUES = st.text(st.sampled_from(LETTERS), max_size=4)


@given(listed=LISTS, value=VALUES)
def test_listed_words_match_as_in_re2(listed: str, value: str) -> None:
    wanted = compile_anchored(listed).fullmatch(value) is not None
    assert Matcher("job", Op.MATCHES, listed).accepts(value) is wanted
    assert Matcher("job", Op.NOT_MATCHES, listed).accepts(value) is not wanted


@given(value=VALUES)
def test_each_word_of_a_list_is_found(value: str) -> None:
    words = [word for word in (value, "other") if "|" not in word]
    assert all(Matcher("job", Op.MATCHES, "|".join(words)).accepts(word) for word in words)


def test_what_means_more_than_itself_is_left_to_re2() -> None:
    for text, value in (
        ("a.c", "abc"),
        ("ab?", "a"),
        ("(a|b)c", "ac"),
        ("[ab]", "b"),
        ("^a$", "a"),
    ):
        assert Matcher("job", Op.MATCHES, text).accepts(value), text
