"""`${…}` is replaced in values only, and what the environment held is never shown."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stewardmon.config.binding import bind
from stewardmon.config.interpolation import interpolate
from stewardmon.config.nodes import plain
from stewardmon.config.notes import Notes
from stewardmon.config.reader import parse
from stewardmon.config.sentences import unshown
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry


def replaced(text: str, **environ: str) -> tuple[object, list[str]]:
    notes = Notes()
    document = parse(text.encode(), notes, name="a.yml")
    assert document is not None
    interpolate(document.root, environ, notes, file="a.yml", lines=document.lines)
    return plain(document.root), [str(mistake) for mistake in notes.mistakes]


def test_a_variable_its_default_and_the_escape() -> None:
    text = "a: x${A}y\nb: ${B:-z}\nc: $${A}\nd: ${C:-}\ne: ${EMPTY:-used}\nf: $A ${1} {{ $x }}\n"
    assert replaced(text, A="1", EMPTY="") == (
        {"a": "x1y", "b": "z", "c": "${A}", "d": "", "e": "used", "f": "$A ${1} {{ $x }}"},
        [],
    )


def test_a_value_adds_no_yaml() -> None:
    value = "x\nadmin: true\n- *y # '\"}"
    assert replaced('a: ${A}\nb: "${A}"\nc: {d: "${A}"}\n', A=value)[0] == {
        "a": value,
        "b": value,
        "c": {"d": value},
    }


def test_a_value_is_not_replaced_again() -> None:
    assert replaced("a: &x ${A}\nb: *x\n", A="${B}", B="no") == ({"a": "${B}", "b": "${B}"}, [])


def test_a_variable_that_is_not_set_is_named_where_it_stands() -> None:
    _, said = replaced('a: |\n  first\n  then ${NOPE}\nb: ["x${EMPTY}"]\n', EMPTY="")
    assert [one.partition(" (")[0] for one in said] == [
        "a.yml:3:8: the environment variable NOPE is not set: set it",
        "a.yml:4:7: the environment variable EMPTY is empty: set it",
    ]


def test_a_file_holds_the_value(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert replaced("a: ${KEY}\n", KEY_FILE=str(secret)) == ({"a": "s3cret"}, [])


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    _, said = replaced(
        "a: ${A}\nb: ${B}\nc: ${C}\n",
        A_FILE=str(tmp_path / "none"),
        B_FILE=str(tmp_path),
        C="1",
        C_FILE=str(tmp_path / "none"),
    )
    assert said == [
        "a.yml:1:4: the file that A_FILE names cannot be read: No such file or directory",
        "a.yml:2:4: the file that B_FILE names cannot be read: Is a directory",
        "a.yml:3:4: both C and C_FILE are set: keep one of them",
    ]


class Typed(Entry):
    port: int
    on: bool = False
    wait: Duration | None = None


def test_a_replaced_value_is_typed_by_the_model() -> None:
    notes = Notes()
    document = parse(b"port: ${PORT}\non: ${ON:-true}\n", notes, name="a.yml")
    assert document is not None
    interpolate(document.root, {"PORT": "5432"}, notes, file="a.yml", lines=document.lines)
    source = Source(file="a.yml", lines=document.lines, notes=notes)
    assert bind(Typed, document.root, source, what="a test") == Typed(port=5432, on=True)


@given(st.text(alphabet="abcdefghij0123456789:/@ ", min_size=8, max_size=70))
def test_what_the_environment_held_is_never_in_a_message(secret: str) -> None:
    notes = Notes()
    document = parse(b"port: ${S}\nwait: ${S}\non: x${S}\n", notes, name="a.yml")
    assert document is not None
    interpolate(document.root, {"S": secret}, notes, file="a.yml", lines=document.lines)
    source = Source(file="a.yml", lines=document.lines, notes=notes)
    if bind(Typed, document.root, source, what="a test") is None:
        said = "\n".join(str(mistake) for mistake in notes.mistakes)
        assert secret not in said
        assert secret[:20] not in said


def test_pieces_of_a_secret_are_left_out_of_a_message() -> None:
    secrets = {"DATABASE_URL": "postgresql://steward:hunter22@db:99999/x"}
    message = "'postgresql://steward:hunter22@d...' has the port 99999; write postgresql://"
    assert unshown(message, secrets) == "'…...' has the port …; write postgresql://"


def test_a_wrong_value_is_named_by_its_variable() -> None:
    notes = Notes()
    document = parse(b"port: ${PORT}\n", notes, name="a.yml")
    assert document is not None
    interpolate(document.root, {"PORT": "many"}, notes, file="a.yml", lines=document.lines)
    source = Source(file="a.yml", lines=document.lines, notes=notes)
    assert bind(Typed, document.root, source, what="a test") is None
    assert [str(one) for one in notes.mistakes] == [
        "a.yml:1:1: port must be a whole number, not ${PORT}"
    ]
