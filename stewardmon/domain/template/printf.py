"""Go's fmt.Sprintf for the values of templates, to the letter.

Source of every rule: pkg.go.dev/fmt (verbs, flags, and what is printed for wrong ones). Refused:
`#` on a float, whose digits no one asks for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from stewardmon.domain.template.gofmt import float_shortest, plain
from stewardmon.domain.template.values import (
    MAX_OUTPUT,
    QueryResult,
    TemplateError,
    Value,
    bounded,
    type_name,
)

_SPEC: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)"
    r"(?P<width>(?:\[\d{1,9}\])?\*|\d+)?"
    r"(?P<precision>\.(?:(?:\[\d{1,9}\])?\*|\d*))?"
    r"(?P<index>\[[^]]*\])?"
    r"(?P<verb>.)?",
    re.DOTALL,
)
_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\",
}  # fmt: skip
_BASES: Final = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b", "O": "o", "v": "d"}
_PREFIXES: Final = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}


@dataclass(frozen=True, slots=True)
class _Spec:
    """One verb with its flags, resolved."""

    verb: str
    flags: str = ""
    width: int = 0
    precision: int | None = None

    def has(self, flag: str) -> bool:
        return flag in self.flags

    @property
    def zero(self) -> bool:
        return "0" in self.flags and "-" not in self.flags


def sprintf(template: str, *values: Value) -> str:
    """Return fmt.Sprintf; what Go prints for wrong verbs and missing values is printed too."""
    return _Printer(values).run(template)


class _Printer:
    """One call of Sprintf: which argument is next, and whether the order was changed."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._next = 0
        self._reordered = False
        self._good = True

    def run(self, template: str) -> str:
        """Return the whole text."""
        out: list[str] = []
        size = at = 0
        while at < len(template):
            start = template.find("%", at)
            out.append(template[at : start if start >= 0 else len(template)])
            if start >= 0:
                text, at = self._one(template, start)
                out.append(text)
            else:
                at = len(template)
            size += len(out[-1])
            if size > MAX_OUTPUT:
                raise TemplateError(f"printf: a text larger than {MAX_OUTPUT // 1024} KiB")
        return bounded("".join(out) + self._extra())

    def _one(self, template: str, start: int) -> tuple[str, int]:
        """Return what the verb at `start` prints, and where it ends."""
        found = _SPEC.match(template, start)
        return ("%", start + 1) if found is None else (self._print(found), found.end())

    def _print(self, found: re.Match[str]) -> str:
        self._good = True
        complaints, spec = self._resolve(found)
        if found["index"]:
            self._seek(found["index"][1:-1])
        if not spec.verb:
            return complaints + "%!(NOVERB)"
        if spec.verb == "%":
            return complaints + "%"
        if not self._good:
            return f"{complaints}%!{spec.verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"{complaints}%!{spec.verb}(MISSING)"
        value = self._values[self._next]
        self._next += 1
        return complaints + _format(spec, value)

    def _resolve(self, found: re.Match[str]) -> tuple[str, _Spec]:
        flags, complaints = found["flags"], ""
        width, precision = 0, None
        if found["width"]:
            number = self._number(found["width"])
            if number is None:
                complaints += "%!(BADWIDTH)"
            else:
                flags += "-" if number < 0 else ""
                width = abs(number)
        if found["precision"]:
            precision = self._number(found["precision"][1:] or "0")
            if precision is None or precision < 0:
                complaints, precision = complaints + "%!(BADPREC)", None
        return complaints, _Spec(found["verb"] or "", flags, width, precision)

    def _number(self, text: str) -> int | None:
        """Return a width or precision: written, or taken from the arguments; None where bad."""
        if not text.endswith("*"):
            number = int(text) if len(text) < 9 else MAX_OUTPUT + 1
        else:
            if text != "*":
                self._seek(text[1:-2])
            value = self._values[self._next] if self._next < len(self._values) else None
            self._next += 1
            if not isinstance(value, int) or isinstance(value, bool):
                return None
            number = value
        if abs(number) > MAX_OUTPUT:
            raise TemplateError(f"printf: a width above {MAX_OUTPUT}")
        return number

    def _seek(self, text: str) -> None:
        self._reordered = True
        if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(self._values):
            self._next = int(text) - 1
        else:
            self._good = False

    def _extra(self) -> str:
        if self._reordered or self._next >= len(self._values):
            return ""
        shown = (
            "<nil>" if value is None else f"{type_name(value)}={plain(value)}"
            for value in self._values[self._next :]
        )
        return f"%!(EXTRA {', '.join(shown)})"


def _format(spec: _Spec, value: Value) -> str:
    if spec.verb == "T":
        return _pad(_cut(type_name(value), spec), spec)
    if spec.verb == "v" and value is None:
        return _pad("<nil>", spec)
    if spec.verb == "v":  # %+v asks for field names, not for a sign
        spec = replace(spec, flags=spec.flags.replace("+", ""))
    text = _by_type(spec, value)
    return _bad(spec, value) if text is None else text


def _bad(spec: _Spec, value: Value) -> str:
    if value is None:
        return f"%!{spec.verb}(<nil>)"
    return f"%!{spec.verb}({type_name(value)}={plain(value)})"


def _by_type(spec: _Spec, value: Value) -> str | None:
    """Return the printed value; None where the verb does not fit its type."""
    if value is None:
        return None
    if isinstance(value, bool):
        return _pad(plain(value), spec) if spec.verb in "tv" else None
    if isinstance(value, int):
        return _integer(spec, value)
    if isinstance(value, float):
        return _float(spec, value)
    if isinstance(value, str):
        return _string(spec, value)
    if isinstance(value, dict):
        pairs = (f"{_format(spec, key)}:{_format(spec, value[key])}" for key in sorted(value))
        return bounded(f"map[{' '.join(pairs)}]")
    if isinstance(value, QueryResult):
        return plain(value)
    return _string(spec, plain(value))


def _string(spec: _Spec, value: str) -> str | None:
    if spec.verb in "sv":
        quoted = spec.verb == "v" and spec.has("#")
        return _pad(quote(value) if quoted else _cut(value, spec), spec)
    if spec.verb == "q":
        cut = _cut(value, spec)
        raw = spec.has("#") and "`" not in cut and cut.replace("\t", "").isprintable()
        return _pad(f"`{cut}`" if raw else quote(cut, ascii_only=spec.has("+")), spec)
    if spec.verb in "xX":
        data = value.encode("utf-8", "surrogatepass")[: spec.precision]
        text = data.hex(" ") if spec.has(" ") else data.hex()
        text = ("0x" if spec.has("#") and data else "") + text
        return _pad(text.upper() if spec.verb == "X" else text, spec)
    return None


def _integer(spec: _Spec, value: int) -> str | None:
    if spec.verb in _BASES:
        prefix = _PREFIXES.get(spec.verb, "") if spec.has("#") else ""
        digits = format(abs(value), _BASES[spec.verb])
        if spec.precision is not None:
            digits = "" if spec.precision == 0 and value == 0 else digits.zfill(spec.precision)
            spec = replace(spec, flags=spec.flags.replace("0", ""))
        prefix = "0o" if spec.verb == "O" else prefix
        return _signed("-" if value < 0 else _plus(spec), prefix + digits, spec)
    if spec.verb in "cqU":
        rune = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "\ufffd"
        if spec.verb == "U":
            return _pad(f"U+{value:04X}", spec)
        return _pad(rune if spec.verb == "c" else _quote_rune(rune), spec)
    return None


def _float(spec: _Spec, value: float) -> str | None:
    if spec.verb not in "vgGeEfFxX":
        return None
    if spec.has("#") and spec.verb != "v":
        raise TemplateError("printf: the flag # is not supported for a float")
    if math.isnan(value):
        sign = "+" if spec.has("+") else " " if spec.has(" ") else ""
        return _pad(sign + "NaN", spec, zero=False)
    if math.isinf(value):
        plus = " " if spec.has(" ") and not spec.has("+") else "+"
        return _pad(("-" if value < 0 else plus) + "Inf", spec, zero=False)
    sign = "-" if math.copysign(1.0, value) < 0 else _plus(spec)
    return _signed(sign, _magnitude(spec, abs(value)), spec)


def _magnitude(spec: _Spec, value: float) -> str:
    verb, precision = spec.verb, spec.precision
    if verb in "xX":
        text = _hexadecimal(value, precision)
        return text.upper() if verb == "X" else text
    if verb in "vgG" and precision is None:
        return float_shortest(value, upper=verb == "G")
    kind = {"v": "g", "F": "f"}.get(verb, verb)
    return f"{value:.{6 if precision is None else precision}{kind}}"


def _hexadecimal(value: float, precision: int | None) -> str:
    if precision is not None:
        raise TemplateError("printf: a precision is not supported for a float in hexadecimal")
    if value == 0:
        return "0x0p+00"
    # frexp gives [0.5, 1); Go wants 1.xxx, also for subnormal numbers.
    mantissa, exponent = math.frexp(value)
    digits = f"{int(mantissa * 2**53) - 2**52:013x}".rstrip("0")
    power = exponent - 1
    return f"0x1{'.' + digits if digits else ''}p{'-' if power < 0 else '+'}{abs(power):02}"


def _plus(spec: _Spec) -> str:
    return "+" if spec.has("+") else " " if spec.has(" ") else ""


def _signed(sign: str, digits: str, spec: _Spec) -> str:
    # Zeros go between the sign and the digits.
    if spec.zero:
        digits = digits.rjust(spec.width - len(sign), "0")
    return _pad(sign + digits, spec, zero=False)


def _cut(text: str, spec: _Spec) -> str:
    return text if spec.precision is None else text[: spec.precision]


def _pad(text: str, spec: _Spec, *, zero: bool = True) -> str:
    if spec.has("-"):
        return text.ljust(spec.width)
    return text.rjust(spec.width, "0" if zero and spec.zero else " ")


def quote(text: str, *, ascii_only: bool = False) -> str:
    """Return strconv.Quote: double quotes, Go's escapes."""
    return '"' + "".join(_escape(rune, '"', ascii_only=ascii_only) for rune in text) + '"'


def _quote_rune(rune: str) -> str:
    return "'" + _escape(rune, "'", ascii_only=False) + "'"


def _escape(rune: str, mark: str, *, ascii_only: bool) -> str:
    if rune == mark:
        return "\\" + rune
    if rune in _ESCAPES:
        return _ESCAPES[rune]
    code = ord(rune)
    if rune.isprintable() and not (ascii_only and code > 0x7F):
        return rune
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
