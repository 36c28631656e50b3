"""Text to values, by type; and a .properties file to its entries. Kafka's spellings, no others.

A value is trimmed first. Booleans are true or false in any case, lists are separated by commas with
or without spaces, numbers have their Java range. Nothing is expanded: `${...}` stays as it is.
"""

from collections.abc import Mapping
from math import isinf
from typing import Final, NamedTuple, final

from ottla.settings.definition import ConfigurationError, Setting, Source, Type, refusal
from ottla.settings.valid import Value

_BITS: Final = {Type.SHORT: 16, Type.INT: 32, Type.LONG: 64}


def value_of(setting: Setting, text: str) -> Value:
    """The value that `text` means. Raises ConfigurationError naming key, value and what is expected."""
    value = _typed(setting, text.strip())
    if setting.valid is not None and not setting.valid.allows(value):
        raise ConfigurationError(refusal(setting, text, setting.valid.explain()))
    return value


def text_of(value: Value) -> str:
    """The value as Kafka prints it: `true`, `a,b`, `1.0E-4`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return _java_double(value)
    return str(value)


def _typed(setting: Setting, text: str) -> Value:
    match setting.type:
        case Type.BOOLEAN:
            if text.lower() not in ("true", "false"):
                raise ConfigurationError(refusal(setting, text, "true or false"))
            return text.lower() == "true"
        case Type.INT | Type.SHORT | Type.LONG:
            return _whole_number(setting, text)
        case Type.DOUBLE:
            return _number(setting, text)
        case Type.LIST:
            return tuple(part.strip() for part in text.split(",")) if text else ()
        case _:
            return text


def _whole_number(setting: Setting, text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    # The longest 64-bit number has 19 digits: int() of more would only cost time.
    counting = digits.lstrip("0")
    if not (digits.isascii() and digits.isdigit()) or len(counting) > 19:
        raise ConfigurationError(refusal(setting, text, _number_range(setting)))
    number = int(counting or "0") * (-1 if text[0] == "-" else 1)
    half = 1 << (_BITS[setting.type] - 1)
    if not -half <= number < half:
        raise ConfigurationError(refusal(setting, text, _number_range(setting)))
    return number


def _number_range(setting: Setting) -> str:
    whole = f"a whole number of {_BITS[setting.type]} bits"
    if setting.valid is None:
        return whole
    return f"{whole} {setting.valid.explain().removeprefix('a number ')}"


def _number(setting: Setting, text: str) -> float:
    body = text[:-1] if text[-1:] in ("d", "D", "f", "F") else text
    if body and all(character in "0123456789.eE+-" for character in body):
        try:
            return float(body)
        except ValueError:
            pass
    expected = "a number" if setting.valid is None else setting.valid.explain()
    raise ConfigurationError(refusal(setting, text, expected))


def _java_double(value: float) -> str:
    if isinf(value):  # `1e400`: Java reads it so too
        return "Infinity" if value > 0 else "-Infinity"
    if 1e-3 <= abs(value) < 1e7 or value == 0:
        return repr(value)
    digits = 1
    while float(f"{value:.{digits}e}") != value:  # 16 digits tell any two doubles apart
        digits += 1
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}E{int(exponent)}"


class Resolved(NamedTuple):
    """A value that was given, and by what: `where` is `server.properties:12` or `KAFKA_NODE_ID`."""

    text: str
    source: Source = Source.STATIC_BROKER
    where: str = "given"


@final
class Values:
    """Settings by name and type: what was given, else the default.

    Every refusal names where the value was given. Asking for a setting by the wrong type is our own
    mistake, hence an assertion.
    """

    __slots__ = ("_defaults", "_given", "_settings")

    def __init__(
        self,
        settings: Mapping[str, Setting],
        given: Mapping[str, Resolved],
        defaults: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._given = given
        self._defaults = defaults

    def is_given(self, name: str) -> bool:
        return name in self._given

    def where(self, name: str) -> str:
        return self._given[name].where if name in self._given else "default"

    def text_or_none(self, name: str) -> str | None:
        """What is in force, as text; None: nothing given and no default."""
        if name in self._given:
            return self._given[name].text
        return self._defaults.get(name, self._settings[name].default)

    def value_or_none(self, name: str) -> Value | None:
        text = self.text_or_none(name)
        if text is None:
            return None
        try:
            return value_of(self._settings[name], text)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.where(name)}: {error}") from None

    def integer_or_none(self, name: str) -> int | None:
        value = self.value_or_none(name)
        assert value is None or (isinstance(value, int) and not isinstance(value, bool)), name
        return value

    def integer(self, name: str) -> int:
        value = self.integer_or_none(name)
        assert value is not None, name
        return value

    def double(self, name: str) -> float:
        value = self.value_or_none(name)
        assert isinstance(value, float), name
        return value

    def boolean(self, name: str) -> bool:
        value = self.value_or_none(name)
        assert isinstance(value, bool), name
        return value

    def string_or_none(self, name: str) -> str | None:
        value = self.value_or_none(name)
        assert value is None or isinstance(value, str), name
        return value

    def string(self, name: str) -> str:
        value = self.string_or_none(name)
        assert value is not None, name
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """A list; empty when there is none."""
        value = self.value_or_none(name)
        assert value is None or isinstance(value, tuple), name
        return value or ()


class Entry(NamedTuple):
    key: str
    value: str
    line: int


def properties(text: str) -> list[Entry]:
    """The entries of a Java .properties file in their order; `line` counts from 1.

    A key given twice stands twice: the last one wins. Raises ConfigurationError, naming the line,
    for a broken unicode escape, the only thing such a file can get wrong.
    """
    entries = []
    for line, logical in _logical_lines(text):
        key_end, value_start = _split(logical)
        try:
            key = _unescaped(logical[:key_end])
            value = _unescaped(logical[value_start:])
        except ValueError as error:
            raise ConfigurationError(f"line {line}: {error}") from None
        entries.append(Entry(key, value, line))
    return entries


_WHITE: Final = " \t\f"


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    pending = ""
    first_line = 0
    natural = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, raw in enumerate(natural, start=1):
        line = raw.lstrip(_WHITE)
        if not first_line:
            if not line or line[0] in "#!":
                continue
            first_line = number
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            pending += line[:-1]
            continue
        lines.append((first_line, pending + line))
        pending, first_line = "", 0
    if first_line:
        lines.append((first_line, pending))
    return lines


def _split(line: str) -> tuple[int, int]:
    """Where the key ends and where the value starts."""
    at = 0
    while at < len(line) and line[at] not in "=:" and line[at] not in _WHITE:
        at += 2 if line[at] == "\\" else 1
    key_end = min(at, len(line))
    start = _after_white(line, key_end)
    if start < len(line) and line[start] in "=:":
        start = _after_white(line, start + 1)
    return key_end, start


def _after_white(line: str, at: int) -> int:
    while at < len(line) and line[at] in _WHITE:
        at += 1
    return at


_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    pieces: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "\\" and at < len(text):
            character = text[at]
            at += 1
            if character == "u":
                digits = text[at : at + 4]
                at += 4
                if len(digits) < 4 or any(d not in "0123456789abcdefABCDEF" for d in digits):
                    raise ValueError(f"\\u{digits} is not \\u with four hexadecimal digits")
                character = chr(int(digits, 16))
            else:
                character = _ESCAPES.get(character, character)
        pieces.append(character)
    return "".join(pieces)
