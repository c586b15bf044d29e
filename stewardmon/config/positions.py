"""From a column inside a value to a line and a column of the file."""

from __future__ import annotations

from stewardmon.config.nodes import Place, Scalar


def place_in(scalar: Scalar, column: int, lines: tuple[str, ...]) -> Place:
    """Return where the value's `column`-th character (1-based) stands in the file.

    `lines` are the file's. Quoted, folded and multi-line values are found again line by line; where
    escapes make that impossible (or `column` is 0, unknown), the value's own beginning is returned.
    """
    offset = column - 1
    if offset < 0 or scalar.replaced:
        return scalar.place
    line, start = scalar.place
    if scalar.style in {"|", ">"}:
        line, start = line + 1, 1
    elif scalar.style:
        start += 1
    searched = 0
    last = max(scalar.last_line, line)
    for number in range(line, min(last, len(lines)) + 1):
        raw = lines[number - 1][start - 1 :] if number == line else lines[number - 1]
        shift = start if number == line else 1
        content = raw.strip()
        if (number == last and scalar.style in {"'", '"'}) or not scalar.style:
            content = _common(content, scalar.text, searched)
        found = scalar.text.find(content, searched) if content else -1
        if found < 0:
            continue
        if offset < found:
            return Place(number, shift + raw.index(content))
        if offset <= found + len(content):
            return Place(number, shift + raw.index(content) + offset - found)
        searched = found + len(content)
    return scalar.place


def _common(content: str, text: str, searched: int) -> str:
    """Return the longest beginning of a line that stands in the value: less quotes and comments."""
    begin = text.find(content[:1], searched) if content else -1
    # Folding leaves one space or newline between lines, so the next begins within two.
    while 0 <= begin <= searched + 2:
        length = 0
        while (
            length < len(content)
            and begin + length < len(text)
            and content[length] == text[begin + length]
        ):
            length += 1
        if length:
            return content[:length]
        begin = text.find(content[:1], begin + 1)
    return ""
