"""Lines that become records: keys, headers and nulls in the form of Kafka's line reader.

With everything asked for, `h1:v1,h2:v2<tab>key<tab>value`; each separator may be set. A part that equals
`null.marker` is null. What lacks a separator is refused, or with `ignore.error` taken as it is.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.errors import LocalProtocolError
from ottla.record.record import Headers

_SEPARATORS: Final = {
    "key.separator": "\t",
    "headers.delimiter": "\t",
    "headers.separator": ",",
    "headers.key.separator": ":",
}
_MUST_DIFFER: Final = (
    ("headers.delimiter", "headers.separator"),
    ("headers.delimiter", "headers.key.separator"),
    ("headers.separator", "headers.key.separator"),
)


class Line(NamedTuple):
    """A record as it stands in a line."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class UnreadableLine(LocalProtocolError):
    """A line without what was said to be in it."""


@final
class LineReader:
    """`line_number` counts the lines read. Raises LocalProtocolError for separators that clash."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.line_number = 0
        self._has_key = _is_true(settings, "parse.key")
        self._has_headers = _is_true(settings, "parse.headers")
        self._ignores_errors = _is_true(settings, "ignore.error")
        self._null = settings.get("null.marker")
        separators = {name: settings.get(name, usual) for name, usual in _SEPARATORS.items()}
        for one, other in _MUST_DIFFER:
            if separators[one] == separators[other]:
                raise LocalProtocolError(f"{one} and {other} may not be equal")
        for name, separator in separators.items():
            if separator == self._null:
                raise LocalProtocolError(f"null.marker and {name} may not be equal")
        self._key_separator = separators["key.separator"]
        self._headers_delimiter = separators["headers.delimiter"]
        self._header_key_separator = separators["headers.key.separator"]
        try:
            self._between_headers = re.compile(separators["headers.separator"])
        except re.error as error:
            raise LocalProtocolError(
                f"headers.separator is no regular expression: {error}"
            ) from None

    def read(self, data: bytes) -> Line:
        """The record in a line. Raises UnreadableLine."""
        self.line_number += 1
        line = data.decode(errors="replace")
        rest = line
        headers: Headers = ()
        key = None
        if self._has_headers:
            text, rest = self._split(rest, self._headers_delimiter, "headers delimiter", line)
            if text is not None and text != self._null:
                headers = self._headers(text)
        if self._has_key:
            key, rest = self._split(rest, self._key_separator, "key separator", line)
        return Line(self._bytes(key), self._bytes(rest), headers)

    def _split(self, text: str, separator: str, what: str, line: str) -> tuple[str | None, str]:
        before, found, after = text.partition(separator)
        if found:
            return before, after
        if not self._ignores_errors:
            raise UnreadableLine(f"No {what} found on line number {self.line_number}: '{line}'")
        return None, text

    def _headers(self, text: str) -> Headers:
        pairs = self._between_headers.split(text)
        while len(pairs) > 1 and not pairs[-1]:
            pairs.pop()  # as Java splits
        return tuple(self._header(pair) for pair in pairs)

    def _header(self, pair: str) -> tuple[str, bytes | None]:
        name, found, value = pair.partition(self._header_key_separator)
        if not found:
            if self._ignores_errors:
                return pair, None
            raise UnreadableLine(
                f"No header key separator found in pair '{pair}' on line number {self.line_number}"
            )
        if name == self._null:
            raise UnreadableLine(
                f"Header keys should not be equal to the null marker '{self._null}' as they can't "
                "be null"
            )
        return name, self._bytes(value)

    def _bytes(self, text: str | None) -> bytes | None:
        return None if text is None or text == self._null else text.encode()


def _is_true(settings: Mapping[str, str], name: str) -> bool:
    return settings.get(name, "").strip().lower() == "true"
