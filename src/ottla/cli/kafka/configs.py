"""kafka-configs: configurations and quotas described and altered.

Elsewhere: which entity is meant, `entities.py`; passwords of users (SCRAM), `scram_credentials.py`.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.entities import QUOTA_TYPES, Entity, add_entity_flags, added, entities
from ottla.cli.kafka.flags import FAILED, Flags, Refused, is_said, refuse_together, the_action
from ottla.cli.kafka.java_text import java_double
from ottla.cli.kafka.refusals import said_with_name
from ottla.client.configs import SOURCES
from ottla.errors import OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.client.configs import Change, Config, Resource

_ACTIONS: Final = ("describe", "alter")
_ADDED: Final = ("add-config", "add-config-file")
_KINDS: Final = {
    "topics": 2,
    "brokers": 4,
    "broker-loggers": 8,
    "client-metrics": 16,
    "groups": 32,
}
_USER_QUOTAS: Final = frozenset(
    {
        "producer_byte_rate",
        "consumer_byte_rate",
        "request_percentage",
        "controller_mutation_rate",
    }
)
_IP_QUOTAS: Final = frozenset({"connection_creation_rate"})


def add_flags(flags: Flags) -> None:
    flags.bootstrap("--bootstrap-controller")
    flags.zookeeper()
    flags.command_config()
    flags.switch("--alter", help="change configurations")
    flags.switch("--describe", help="tell configurations that somebody set")
    flags.switch("--all", help="with --describe: all there are")
    flags.value("--add-config", help="k1=v1,k2=[v2,v3]")
    flags.value("--add-config-file", help="a properties file with what is added")
    flags.value("--delete-config", help="k1,k2")
    flags.switch("--force", help="does nothing")
    add_entity_flags(flags)


def run(args: argparse.Namespace) -> int:
    action = the_action(args, _ACTIONS)
    if action == "describe":
        refuse_together(args, "describe", (*_ADDED, "delete-config"))
    named = entities(args)
    if action == "alter":
        if not any(is_said(args, name) for name in (*_ADDED, "delete-config")):
            raise Refused(
                "At least one of --add-config, --add-config-file, or --delete-config must be "
                "specified with --alter"
            )
        if any(one.name is None for one in named):
            types = ",".join(one.type for one in named)
            raise Refused(f"An entity name must be specified with --alter of {types}")
    for one in named:
        if one.type in ("brokers", "broker-loggers") and one.name and not _is_id(one.name):
            raise Refused(
                f"The entity name for {one.type} must be a valid integer broker id, but it is: "
                f"{one.name}"
            )
    work = _describe if action == "describe" else _alter
    try:
        return asked(args, lambda admin: work(admin, args, named))
    except OttlaError as error:
        print(f"Error while executing config command: {said_with_name(error)}", file=sys.stderr)
        return FAILED


def _is_id(text: str) -> bool:
    return text.lstrip("-").isdecimal()


# ---- describing


async def _describe(admin: "Admin", args: argparse.Namespace, named: Sequence[Entity]) -> int:
    first = named[0]
    if first.type in QUOTA_TYPES:
        await _describe_quotas(admin, named)
        if first.type == "users" and len(named) == 1 and first.name != "":
            from ottla.cli.kafka.scram_credentials import described

            for line in await described(admin, first.name):
                print(line)
        return 0
    names = [first.name] if first.name is not None else await _all_names(admin, first.type)
    kind = first.type.removesuffix("s")
    for name in names:
        if first.type == "topics" and first.name is not None and not await _exists(admin, name):
            print(f"The topic '{name}' doesn't exist and doesn't have dynamic config.")
            continue
        if name == "":
            print(f"Default configs for {first.type} in the cluster are:")
        else:
            print(f"{'All' if args.all else 'Dynamic'} configs for {kind} {name} are:")
        for config in await _configs(admin, Entity(first.type, name), everything=args.all):
            print(config_line(config))
    return 0


def config_line(config: "Config") -> str:
    synonyms = ", ".join(
        f"{SOURCES.get(source, 'UNKNOWN')}:{name}={_text(value)}"
        for name, value, source in config.synonyms
    )
    sensitive = str(config.is_sensitive).lower()
    return f"  {config.name}={_text(config.value)} sensitive={sensitive} synonyms={{{synonyms}}}"


def _text(value: str | None) -> str:
    return "null" if value is None else value


async def _exists(admin: "Admin", name: str) -> bool:
    await admin.client.refresh(None)
    return admin.client.cluster.topic(name) is not None


async def _all_names(admin: "Admin", kind: str) -> list[str]:
    """In Kafka's order where it has one."""
    match kind:
        case "topics":
            cluster = await admin.client.refresh(None)
            return sorted(name for name in cluster.topics if cluster.topic(name) is not None)
        case "brokers" | "broker-loggers":
            return [*map(str, await admin.brokers()), *([""] if kind == "brokers" else [])]
        case "groups":
            from ottla.cli.kafka.group_facts import listed

            groups = [one.group_id for one in await listed(admin)]
            return sorted({*groups, *await resources(admin, _KINDS[kind])})
        case _:
            return sorted(await resources(admin, _KINDS[kind]))


async def resources(admin: "Admin", kind: int) -> list[str]:
    """Names of what has configurations of its own; none where the broker does not tell."""
    from ottla.errors import ApiError, ErrorCode
    from ottla.wire.message.list_config_resources import (
        ListConfigResourcesRequest,
        ListConfigResourcesResponse,
    )

    try:
        answer = await admin.any(ListConfigResourcesRequest([kind]), ListConfigResourcesResponse)
        check(answer.error_code)
    except ApiError as error:
        if error.code != ErrorCode.UNSUPPORTED_VERSION:
            raise
        return []
    return [one.resource_name for one in answer.config_resources if one.resource_type == kind]


def _resource(entity: Entity) -> "Resource":
    from ottla.client.configs import Kind, Resource

    return Resource(Kind(_KINDS[entity.type]), entity.name or "")


async def _configs(admin: "Admin", entity: Entity, *, everything: bool) -> "list[Config]":
    from ottla.client.configs import Kind, describe_request, described_untrusted
    from ottla.wire.message.describe_configs import DescribeConfigsResponse

    resource = _resource(entity)
    request = describe_request(resource)
    if resource.kind in (Kind.BROKER, Kind.BROKER_LOGGER) and resource.name:
        answer = await admin.broker(int(resource.name), request, DescribeConfigsResponse)
    else:
        answer = await admin.any(request, DescribeConfigsResponse)
    found = described_untrusted(resource, answer)
    if everything or resource.kind is Kind.BROKER_LOGGER:
        return found
    return [config for config in found if config.source == resource.source]


async def _quotas(
    admin: "Admin", named: Iterable[Entity]
) -> list[tuple[dict[str, str | None], dict[str, float]]]:
    from ottla.wire.message.describe_client_quotas import (
        ComponentData,
        DescribeClientQuotasRequest,
        DescribeClientQuotasResponse,
    )

    exact, default, any_name = 0, 1, 2
    parts = [
        ComponentData(
            QUOTA_TYPES[one.type],
            any_name if one.name is None else (exact if one.name else default),
            one.name or None,
        )
        for one in named
    ]
    request = DescribeClientQuotasRequest(parts, strict=True)
    answer = await admin.any(request, DescribeClientQuotasResponse)
    check(answer.error_code, answer.error_message)
    return [
        (
            {part.entity_type: part.entity_name for part in entry.entity},
            {one.key: one.value for one in entry.values},
        )
        for entry in answer.entries or ()
    ]


async def _describe_quotas(admin: "Admin", named: Sequence[Entity]) -> None:
    for entity, quotas in await _quotas(admin, named):
        print(quota_line(entity, quotas))


def quota_line(entity: dict[str, str | None], quotas: dict[str, float]) -> str:
    words = {"user": "user-principal", "client-id": "client-id", "ip": "ip"}
    who = ", ".join(
        f"the default {word}" if entity[kind] is None else f"{word} '{entity[kind]}'"
        for kind, word in words.items()
        if kind in entity
    )
    values = ", ".join(f"{key}={java_double(value)}" for key, value in sorted(quotas.items()))
    return f"Quota configs for {who} are {values}"


# ---- altering


async def _alter(admin: "Admin", args: argparse.Namespace, named: Sequence[Entity]) -> int:
    from ottla.cli.kafka.properties import read_properties

    first = named[0]
    from_file = {} if args.add_config_file is None else read_properties(args.add_config_file)
    adding = added(args.add_config, from_file)
    deleting = [part.strip() for part in (args.delete_config or "").split(",") if part.strip()]
    if first.type in QUOTA_TYPES:
        await _alter_quotas_or_passwords(admin, named, adding, deleting)
    else:
        await _alter_resource(admin, first, adding, deleting)
    # As in Kafka, of a user and a client the last is named.
    last = named[-1]
    if last.name:
        print(f"Completed updating config for {last.type.removesuffix('s')} {last.name}.")
    else:
        print(f"Completed updating default config for {last.type} in the cluster.")
    return 0


async def _alter_resource(
    admin: "Admin", entity: Entity, adding: dict[str, str], deleting: Sequence[str]
) -> None:
    from ottla.client.configs import Change, Kind, Operation

    resource = _resource(entity)
    if resource.kind is Kind.BROKER_LOGGER:
        known = {one.name for one in await _configs(admin, entity, everything=True)}
        unknown = [name for name in (*deleting, *adding) if name not in known]
        if unknown:
            raise Refused(f"Invalid broker logger(s): {','.join(unknown)}")
    await change_resource(
        admin,
        entity,
        [
            *(Change(name, Operation.SET, value) for name, value in adding.items()),
            *(Change(name, Operation.DELETE, "") for name in deleting),
        ],
    )


async def change_resource(admin: "Admin", entity: Entity, changes: "Sequence[Change]") -> None:
    """A broker's are changed by itself, others by the controller. Raises ApiError."""
    from ottla.client.configs import Kind, alter_request, check_altered_untrusted
    from ottla.wire.message.incremental_alter_configs import IncrementalAlterConfigsResponse

    resource = _resource(entity)
    request = alter_request(resource, changes)
    expects = IncrementalAlterConfigsResponse
    if resource.kind in (Kind.BROKER, Kind.BROKER_LOGGER) and resource.name:
        answer = await admin.broker(int(resource.name), request, expects)
    else:
        answer = await admin.controller(request, expects)
    check_altered_untrusted(resource, answer)


async def _alter_quotas_or_passwords(
    admin: "Admin", named: Sequence[Entity], adding: dict[str, str], deleting: Sequence[str]
) -> None:
    from ottla.cli.kafka.scram_credentials import MECHANISMS, alter

    kinds = {one.type for one in named}
    known = _IP_QUOTAS if "ips" in kinds else _USER_QUOTAS
    passwords = kinds == {"users"} and not (adding.keys() | set(deleting)) & known
    allowed = known | (MECHANISMS.keys() if kinds == {"users"} else frozenset())
    for verb, names in (("added", adding), ("deleted", deleting)):
        unexpected = [name for name in names if name not in allowed]
        if unexpected:
            what = "quota and SCRAM credential" if kinds == {"users"} else "quota"
            what = "connection quota" if "ips" in kinds else what
            raise Refused(
                f"Only {what} configs can be {verb} for '{named[-1].type}' using "
                f"--bootstrap-server. Unexpected config names: {', '.join(unexpected)}"
            )
    if passwords:
        if not named[0].name:
            raise Refused(
                "The use of --entity-default or --user-defaults is not allowed with User SCRAM "
                "Credentials using --bootstrap-server."
            )
        await alter(admin, named[0].name, adding, deleting)
        return
    if (adding.keys() | set(deleting)) - known:
        raise Refused(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using "
            "--bootstrap-server."
        )
    await _alter_quotas(admin, named, adding, deleting)


async def _alter_quotas(
    admin: "Admin", named: Sequence[Entity], adding: dict[str, str], deleting: Sequence[str]
) -> None:
    from ottla.client.quotas import alter_request, check_altered_untrusted
    from ottla.wire.message.alter_client_quotas import AlterClientQuotasResponse

    changes: dict[str, float | None] = {}
    for key, value in adding.items():
        try:
            changes[key] = float(value)
        except ValueError:
            raise Refused(f"Cannot parse quota configuration value for {key}: {value}") from None
    changes |= dict.fromkeys(deleting)
    entity = {QUOTA_TYPES[one.type]: one.name or None for one in named}
    answer = await admin.controller(alter_request(entity, changes), AlterClientQuotasResponse)
    check_altered_untrusted(entity, answer)
