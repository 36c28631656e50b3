"""What a setting is: its name, type, default, what it may hold, and whether it means anything here.

A setting's value is text, as an operator writes it and as Kafka prints it; `parse.py` turns text
into values. The tables of settings stand in `table/`, one line per setting; the typed views that
machines use are `broker.py` and `topic.py`.

The codes of `Type` and `Source` are those of DescribeConfigs (KIP-133, KIP-226, KIP-569).
"""

from enum import IntEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from ottla.errors import OttlaError
from ottla.settings.valid import Valid

Importance: TypeAlias = Literal["high", "medium", "low"]
HIGH: Final = "high"
MEDIUM: Final = "medium"
LOW: Final = "low"

UpdateMode: TypeAlias = Literal["read-only", "per-broker", "cluster-wide"]
READ_ONLY: Final = "read-only"
PER_BROKER: Final = "per-broker"
CLUSTER_WIDE: Final = "cluster-wide"


class Type(IntEnum):
    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class Source(IntEnum):
    """Where a value in force comes from."""

    DYNAMIC_TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_CLIENT_METRICS = 7
    DYNAMIC_GROUP = 8


class Synonym(NamedTuple):
    """Another setting that gives this one its value; `factor` turns that one's unit into this one's."""

    name: str
    factor: int = 1


class Setting(NamedTuple):
    """One line of a table.

    `default` is text, None: no default. `synonyms` are consulted in their order when the setting
    itself is not given (a topic's setting: the broker's names for it). `honored`: the value changes
    what Ottla does; otherwise it is accepted, checked for its type, and has no meaning here: `gap`
    says why.
    """

    name: str
    type: Type
    default: str | None
    valid: Valid | None
    importance: Importance
    update_mode: UpdateMode
    synonyms: tuple[Synonym, ...]
    honored: bool
    internal: bool
    dynamic_only: bool
    gap: str

    @property
    def sensitive(self) -> bool:
        return self.type is Type.PASSWORD


class ConfigurationError(OttlaError):
    """A configuration that cannot be run. The message names where, the key, the value and what is
    expected; a secret's value is never in it."""


def refusal(setting: Setting, text: str, expected: str) -> str:
    """`num.partitions=zero: a whole number is expected`; hides what is secret."""
    shown = "(hidden)" if setting.sensitive else text
    return f"{setting.name}={shown}: {expected} is expected"


BOOLEAN: Final = Type.BOOLEAN
STRING: Final = Type.STRING
INT: Final = Type.INT
SHORT: Final = Type.SHORT
LONG: Final = Type.LONG
DOUBLE: Final = Type.DOUBLE
LIST: Final = Type.LIST
CLASS: Final = Type.CLASS
PASSWORD: Final = Type.PASSWORD


def setting(
    name: str,
    type_: Type,
    default: str | int | bool | None,
    valid: Valid | None = None,
    importance: Importance = MEDIUM,
    mode: UpdateMode = READ_ONLY,
    *,
    synonyms: tuple[Synonym, ...] = (),
    honored: bool = False,
    internal: bool = False,
    dynamic_only: bool = False,
    gap: str = "",
) -> Setting:
    """A line of a table: like `Setting`, with the default written as what it is."""
    if isinstance(default, bool):
        default = "true" if default else "false"
    elif isinstance(default, int):
        default = str(default)
    return Setting(
        name,
        type_,
        default,
        valid,
        importance,
        mode,
        synonyms,
        honored,
        internal,
        dynamic_only,
        gap,
    )
