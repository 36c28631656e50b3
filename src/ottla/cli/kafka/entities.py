"""Of whom kafka-configs speaks: entities by type and name, in both spellings.

`--entity-type topics --entity-name t` and `--topic t` are the same; a user and a client together are one
entity, the clients of that user. An empty name is the default of a type.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ottla.cli.kafka.flags import Flags, Refused, is_said

TYPES: Final = (
    "topics",
    "clients",
    "users",
    "brokers",
    "ips",
    "client-metrics",
    "groups",
    "broker-loggers",
)
_SHORT: Final = {
    "topic": "topics",
    "client": "clients",
    "user": "users",
    "broker": "brokers",
    "broker-logger": "broker-loggers",
    "ip": "ips",
    "client-metrics": "client-metrics",
    "group": "groups",
}
_DEFAULTS: Final = {
    "client-defaults": "clients",
    "user-defaults": "users",
    "broker-defaults": "brokers",
    "ip-defaults": "ips",
}
QUOTA_TYPES: Final = {"users": "user", "clients": "client-id", "ips": "ip"}
"""Types of entities that have quotas, as the protocol calls them."""


class Entity(NamedTuple):
    """`name` None: all of the type; empty: its default."""

    type: str
    name: str | None


class _Named(argparse.Action):
    """Names and defaults in the order in which they were said, for types in the same order."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        said = [*(getattr(namespace, self.dest) or []), values if self.nargs is None else ""]
        setattr(namespace, self.dest, said)


def add_entity_flags(flags: Flags) -> None:
    flags.value("--entity-type", repeated=True, help=", ".join(TYPES))
    flags.in_order(
        _Named, "entity_names", {"--entity-name": "the entity"}, {"--entity-default": "the default"}
    )
    for name, kind in _SHORT.items():
        flags.value(f"--{name}", help=f"the same as --entity-type {kind} --entity-name VALUE")
    for name, kind in _DEFAULTS.items():
        flags.switch(f"--{name}", help=f"the same as --entity-type {kind} --entity-default")


def entities(args: argparse.Namespace) -> list[Entity]:
    """A user before a client, whatever was said first. Raises Refused for what goes not together."""
    types = list(args.entity_type)
    names: Sequence[str] = args.entity_names or []
    found: list[Entity] = [
        Entity(kind, names[at] if at < len(names) else None) for at, kind in enumerate(types)
    ]
    found += [
        Entity(kind, getattr(args, name.replace("-", "_")))
        for name, kind in _SHORT.items()
        if is_said(args, name)
    ]
    found += [Entity(kind, "") for name, kind in _DEFAULTS.items() if is_said(args, name)]
    if not found:
        raise Refused("At least one entity type must be specified")
    twice = [one.type for one in found if sum(one.type == other.type for other in found) > 1]
    if twice:
        raise Refused(f"Duplicate entity type(s) specified: {','.join(dict.fromkeys(twice))}")
    for one in found:
        if one.type not in TYPES:
            raise Refused(
                f"Invalid entity type {one.type}, the entity type must be one of "
                f"{', '.join(TYPES)} with a --bootstrap-server or --bootstrap-controller argument"
            )
    if len(found) > 1 and {one.type for one in found} != {"users", "clients"}:
        raise Refused(
            "Only one entity type can be specified, except for users and clients: "
            + ", ".join(one.type for one in found)
        )
    return sorted(found, key=lambda one: one.type != "users")


def added(text: str | None, from_file: Mapping[str, str]) -> dict[str, str]:
    """`k1=v1,k2=[v2,v3]`, and what a file says before it. Raises Refused."""
    found = dict(from_file)
    for part in _parts(text or ""):
        name, equals, value = part.partition("=")
        if not equals or "=" in value.partition("[")[0]:
            raise Refused(
                "requirement failed: Invalid entity config: all configs to be added must be in the "
                'format "key=val" or  "key=[val1,val2]" to group values which contain commas.'
            )
        name = name.strip()
        if not all(one.isascii() and (one.isalnum() or one in "._-") for one in name):
            raise Refused(f"Invalid character found for config key: {name}")
        found[name] = value.replace("[", "").replace("]", "").strip()
    return found


def _parts(text: str) -> list[str]:
    """Between commas, but for those in square brackets."""
    parts = [""]
    depth = 0
    for one in text:
        depth += (one == "[") - (one == "]")
        if one == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += one
    return [part for part in parts if part.strip()]
