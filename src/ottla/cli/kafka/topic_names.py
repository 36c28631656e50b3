"""Which topics a word of the command line means: a regular expression for the whole name.

As in Kafka's tools `,` stands for `|`, spaces and quotes around it count for nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

from ottla.cli.kafka.flags import Refused

INTERNAL: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})


def pattern(text: str) -> re.Pattern[str]:
    """Raises Refused for what is no regular expression."""
    wanted = text.strip().replace(",", "|").replace(" ", "").strip("\"'")
    try:
        return re.compile(wanted)
    except re.error as error:
        raise Refused(f"{text} is an invalid regex: {error}.") from None


def chosen(names: Iterable[str], wanted: str | None, *, without_internal: bool) -> list[str]:
    """Those of `names` that `wanted` means (None: all), sorted."""
    matches = re.compile(".*") if wanted is None else pattern(wanted)
    return sorted(
        name
        for name in names
        if matches.fullmatch(name) and not (without_internal and name in INTERNAL)
    )
