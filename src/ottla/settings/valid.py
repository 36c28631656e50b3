"""What a setting may hold beyond its type: small descriptions that both check and explain themselves.

`explain()` completes the sentence "... is expected". The kinds are those Kafka's own definitions use.
Named tuples, because hundreds of them are made at every start.
"""

from typing import NamedTuple, Protocol, TypeAlias, final

Value: TypeAlias = bool | int | float | str | tuple[str, ...]
"""A setting's value after parsing. A class is its name, a password its text."""


class Valid(Protocol):
    def allows(self, value: Value) -> bool: ...

    def explain(self) -> str: ...


class Range(NamedTuple):
    """Both ends inclusive; None: no end."""

    low: int | float | None
    high: int | float | None = None

    def allows(self, value: Value) -> bool:
        if not isinstance(value, int | float):
            return False
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def explain(self) -> str:
        if self.high is None:
            return f"a number from {self.low} on"
        if self.low is None:
            return f"a number up to {self.high}"
        return f"a number from {self.low} to {self.high}"


class OneOf(NamedTuple):
    values: tuple[str, ...]
    ignore_case: bool = False

    def allows(self, value: Value) -> bool:
        if not isinstance(value, str):
            return False
        if self.ignore_case:
            return value.lower() in [allowed.lower() for allowed in self.values]
        return value in self.values

    def explain(self) -> str:
        return "one of " + ", ".join(self.values)


class ListOf(NamedTuple):
    """Names without duplicates or empty ones; `values` empty: any name."""

    values: tuple[str, ...] = ()
    empty_allowed: bool = True

    def allows(self, value: Value) -> bool:
        if not isinstance(value, tuple):
            return False
        if not value:
            return self.empty_allowed
        known = not self.values or all(name in self.values for name in value)
        return known and all(value) and len(set(value)) == len(value)

    def explain(self) -> str:
        start = "a list" if self.empty_allowed else "a list of at least one"
        names = f" out of {', '.join(self.values)}" if self.values else ""
        return f"{start}{names}, without duplicates or empty names"


@final
class NonEmpty:
    def allows(self, value: Value) -> bool:
        return bool(value)

    def explain(self) -> str:
        return "a text that is not empty"


@final
class GzipLevel:
    def allows(self, value: Value) -> bool:
        return isinstance(value, int) and (value == -1 or 1 <= value <= 9)

    def explain(self) -> str:
        return "a number from 1 to 9, or -1"


@final
class ThrottledReplicas:
    """`*`, or partition:broker pairs."""

    def allows(self, value: Value) -> bool:
        if not isinstance(value, tuple):
            return False
        return value == ("*",) or all(_is_pair_of_numbers(pair) for pair in value)

    def explain(self) -> str:
        return "* or a list of partition:broker"


@final
class Voters:
    """id@host:port entries."""

    def allows(self, value: Value) -> bool:
        return isinstance(value, tuple) and all(_is_voter(voter) for voter in value)

    def explain(self) -> str:
        return "a list of id@host:port"


@final
class HostPorts:
    def allows(self, value: Value) -> bool:
        return isinstance(value, tuple) and all(_is_host_port(entry) for entry in value)

    def explain(self) -> str:
        return "a list of host:port"


@final
class ShareOffsetReset:
    """latest, earliest, or by_duration: with an ISO 8601 duration (KIP-932)."""

    def allows(self, value: Value) -> bool:
        if not isinstance(value, str):
            return False
        return value in ("latest", "earliest") or value.startswith("by_duration:P")

    def explain(self) -> str:
        return "latest, earliest, or by_duration:PnDTnHnMn.nS"


def at_least(low: int) -> Range:
    return Range(low)


def between(low: float, high: float) -> Range:
    return Range(low, high)


def one_of(*values: str) -> OneOf:
    return OneOf(values)


def names(*values: str, empty: bool = True) -> ListOf:
    return ListOf(values, empty)


def _is_pair_of_numbers(text: str) -> bool:
    partition, _, broker = text.partition(":")
    return _is_digits(partition) and _is_digits(broker)


def _is_host_port(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    if not host or colon != ":" or not _is_digits(port):
        return False
    counting = port.lstrip("0") or "0"
    return len(counting) <= 5 and int(counting) <= 65535


def _is_voter(text: str) -> bool:
    voter_id, _, address = text.partition("@")
    return _is_digits(voter_id) and _is_host_port(address)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
