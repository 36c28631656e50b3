"""kafka-acls: who may do what, added, removed and listed. What the broker makes of it is its own.

`--producer` and `--consumer` stand for what such a client needs. Elsewhere: how entries look and which
operations a resource knows, `acl_entries.py`.
"""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.acl_entries import (
    ANY,
    CLUSTER_NAME,
    PATTERN_TYPES,
    Entry,
    Pattern,
    operation_name,
    refuse_operations,
)
from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused, is_said, the_action
from ottla.cli.kafka.refusals import said_with_name
from ottla.errors import OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

_RESOURCES: Final = {
    "topic": "TOPIC",
    "group": "GROUP",
    "transactional-id": "TRANSACTIONAL_ID",
    "delegation-token": "DELEGATION_TOKEN",
    "user-principal": "USER",
}
_NO_RESOURCE: Final = (
    "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or "
    "--delegation-token <Delegation Token ID>"
)


def add_flags(flags: Flags) -> None:
    flags.bootstrap("--bootstrap-controller")
    flags.zookeeper()
    flags.command_config()
    flags.switch("--add", help="add entries")
    flags.switch("--remove", help="remove entries")
    flags.switch("--list", help="list entries")
    for name in _RESOURCES:
        flags.value(f"--{name}", repeated=True, help="the resource; * for all of them")
    flags.switch("--cluster", help="the cluster itself")
    flags.value("--resource-pattern-type", default="literal", help=", ".join(PATTERN_TYPES).lower())
    flags.value("--operation", repeated=True, help="what may be done; else all")
    flags.value("--allow-principal", repeated=True, help="who may: User:name")
    flags.value("--deny-principal", repeated=True, help="who may not: User:name")
    flags.value("--principal", repeated=True, help="with --list: only theirs")
    flags.value("--allow-host", repeated=True, help="from where they may; else from everywhere")
    flags.value("--deny-host", repeated=True, help="from where they may not")
    flags.switch("--producer", help="what a producer needs")
    flags.switch("--consumer", help="what a consumer needs")
    flags.switch("--idempotent", help="with --producer: an idempotent one")
    flags.switch("--force", help="with --remove: do not ask")


def run(args: argparse.Namespace) -> int:
    action = the_action(args, ("list", "add", "remove"))
    if args.resource_pattern_type.upper() not in PATTERN_TYPES:
        raise Refused(
            f"--resource-pattern-type {args.resource_pattern_type}: one of "
            f"{', '.join(PATTERN_TYPES).lower()} is expected"
        )
    patterns = named(args)
    if not patterns and action != "list":
        raise Refused(_NO_RESOURCE)
    if action == "add" and args.resource_pattern_type.upper() not in ("LITERAL", "PREFIXED"):
        raise Refused(
            f"A '--resource-pattern-type' value of '{args.resource_pattern_type.upper()}' is not valid "
            "when adding acls."
        )
    meant = {} if action == "list" else entries(args, patterns)
    if action == "add" and not all(meant.values()):
        raise Refused(
            "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs."
        )
    work = {
        "list": lambda admin: _list(admin, args, patterns),
        "add": lambda admin: _add(admin, meant),
        "remove": lambda admin: _remove(admin, meant, force=args.force),
    }[action]
    try:
        return asked(args, work)
    except OttlaError as error:
        print(f"Error while executing ACL command: {said_with_name(error)}")
        return FAILED


def named(args: argparse.Namespace) -> list[Pattern]:
    """The resources of the command line."""
    kind = args.resource_pattern_type.upper()
    found = [
        Pattern(resource, name.strip(), kind)
        for flag, resource in _RESOURCES.items()
        for name in getattr(args, flag.replace("-", "_"))
    ]
    if kind == "LITERAL" and (args.cluster or args.idempotent):
        found.append(Pattern("CLUSTER", CLUSTER_NAME, kind))
    return list(dict.fromkeys(found))


def entries(args: argparse.Namespace, patterns: Iterable[Pattern]) -> dict[Pattern, set[Entry]]:
    """By resource, what is meant. Raises Refused for an operation that it does not know."""
    found: dict[Pattern, set[Entry]] = {}
    if not args.producer and not args.consumer:
        operations = [operation_name(one) for one in args.operation or ("All",)]
        found = {pattern: _entries(args, operations) for pattern in patterns}
    for pattern in patterns:
        needed = _needed(args, pattern)
        if needed:
            found.setdefault(pattern, set()).update(_entries(args, needed))
    for pattern, of_pattern in found.items():
        refuse_operations(pattern, of_pattern)
    return found


def _needed(args: argparse.Namespace, pattern: Pattern) -> list[str]:
    """What producers and consumers do with a resource."""
    found = []
    if args.producer:
        found += {
            "TOPIC": ["WRITE", "DESCRIBE", "CREATE"],
            "TRANSACTIONAL_ID": ["WRITE", "DESCRIBE"],
            "CLUSTER": ["IDEMPOTENT_WRITE"] if args.idempotent else [],
        }.get(pattern.resource, [])
    if args.consumer:
        found += {"TOPIC": ["READ", "DESCRIBE"], "GROUP": ["READ"]}.get(pattern.resource, [])
    return found


def _entries(args: argparse.Namespace, operations: Iterable[str]) -> set[Entry]:
    found = set()
    for who, where, permission in (
        (args.allow_principal, args.allow_host, "ALLOW"),
        (args.deny_principal, args.deny_host, "DENY"),
    ):
        for principal in who:
            if ":" not in principal:
                raise Refused(
                    "expected a string in format principalType:principalName but got " + principal
                )
            for host in where or ("*",):
                for operation in operations:
                    found.add(Entry(principal.strip(), host.strip(), operation, permission))
    return found


async def _add(admin: "Admin", meant: Mapping[Pattern, set[Entry]]) -> int:
    from ottla.wire.message.create_acls import (
        AclCreation,
        CreateAclsRequest,
        CreateAclsResponse,
    )

    for pattern, of_pattern in meant.items():
        there = {entry for one, entry in await _described(admin, pattern) if one == pattern}
        for entry in sorted(of_pattern & there):
            print(f"Acl (pattern={pattern}, entry={entry}) already exists.")
        fresh = sorted(of_pattern - there)
        if not fresh:
            continue
        print(f"Adding ACLs for resource `{pattern}`: \n {_listed(fresh)}\n")
        creations = [
            AclCreation(
                pattern.resource_code,
                pattern.name,
                pattern.pattern_code,
                one.principal,
                one.host,
                one.operation_code,
                one.permission_code,
            )
            for one in fresh
        ]
        answer = await admin.controller(CreateAclsRequest(creations), CreateAclsResponse)
        for result in answer.results:
            check(result.error_code, result.error_message)
    return 0


def _listed(of_pattern: Iterable[Entry]) -> str:
    return "\n".join(f"\t{one}" for one in sorted(of_pattern))


async def _remove(admin: "Admin", meant: Mapping[Pattern, set[Entry]], *, force: bool) -> int:
    from ottla.wire.message.delete_acls import (
        DeleteAclsFilter,
        DeleteAclsRequest,
        DeleteAclsResponse,
    )

    for pattern, of_pattern in meant.items():
        question = (
            f"Are you sure you want to remove ACLs: \n {_listed(of_pattern)} \n from resource filter "
            f"`{pattern}`? (y/n)"
            if of_pattern
            else f"Are you sure you want to delete all ACLs for resource filter `{pattern}`? (y/n)"
        )
        if not force and not _confirmed(question):
            continue
        wanted: list[Entry | None] = [*sorted(of_pattern)] or [None]
        filters = [
            DeleteAclsFilter(
                pattern.resource_code,
                pattern.name,
                pattern.pattern_code,
                None if one is None else one.principal,
                None if one is None else one.host,
                ANY if one is None else one.operation_code,
                ANY if one is None else one.permission_code,
            )
            for one in wanted
        ]
        answer = await admin.controller(DeleteAclsRequest(filters), DeleteAclsResponse)
        for result in answer.filter_results:
            check(result.error_code, result.error_message)
            for match in result.matching_acls:
                check(match.error_code, match.error_message)
    return 0


def _confirmed(question: str) -> bool:
    print(question)
    try:
        return input().strip().lower() == "y"
    except EOFError:
        return False


async def _list(admin: "Admin", args: argparse.Namespace, patterns: Iterable[Pattern]) -> int:
    found: dict[Pattern, set[Entry]] = {}
    wanted: list[Pattern | None] = [*patterns] or [None]
    for pattern in wanted:
        for one, entry in await _described(admin, pattern):
            found.setdefault(one, set()).add(entry)
    if not is_said(args, "principal"):
        _print(found)
    for principal in args.principal:
        print(f"ACLs for principal `{principal}`")
        theirs = {
            pattern: {one for one in of_pattern if one.principal == principal}
            for pattern, of_pattern in found.items()
        }
        _print({pattern: of_pattern for pattern, of_pattern in theirs.items() if of_pattern})
    return 0


def _print(found: Mapping[Pattern, set[Entry]]) -> None:
    for pattern, of_pattern in sorted(found.items()):
        print(f"Current ACLs for resource `{pattern}`:\n{_listed(of_pattern)}\n")


async def _described(admin: "Admin", pattern: Pattern | None) -> list[tuple[Pattern, Entry]]:
    from ottla.wire.message.describe_acls import DescribeAclsRequest, DescribeAclsResponse

    request = DescribeAclsRequest(
        ANY if pattern is None else pattern.resource_code,
        None if pattern is None else pattern.name,
        ANY if pattern is None else pattern.pattern_code,
        None,
        None,
        ANY,
        ANY,
    )
    answer = await admin.any(request, DescribeAclsResponse)
    check(answer.error_code, answer.error_message)
    return [
        (
            Pattern.of(resource.resource_type, resource.resource_name, resource.pattern_type),
            Entry.of(one.principal, one.host, one.operation, one.permission_type),
        )
        for resource in answer.resources
        for one in resource.acls
    ]
