"""kafka-features: a cluster's feature levels told, raised, lowered and switched off.

Elsewhere: which levels a release has, `releases.py`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import asked, check
from ottla.cli.kafka.flags import FAILED, Flags, Refused, number
from ottla.cli.kafka.java_order import in_hash_order
from ottla.cli.kafka.refusals import said
from ottla.cli.kafka.releases import (
    FEATURES,
    LATEST,
    METADATA,
    NEEDS,
    features_at,
    level_of,
    mapping_lines,
    name_of,
)
from ottla.errors import ApiError, LocalProtocolError, OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.message.api_versions import ApiVersionsResponse

_CHANGES: Final = ("upgrade", "downgrade", "disable")
_COMMANDS: Final = ("describe", *_CHANGES, "version-mapping", "feature-dependencies")
_UPGRADE, _SAFE_DOWNGRADE, _UNSAFE_DOWNGRADE = 1, 2, 3
_WIDTHS: Final = (42, 17, 17, 17)


def add_flags(flags: Flags) -> None:
    flags.words("command", help=" | ".join(_COMMANDS))
    flags.bootstrap("--bootstrap-controller", required=False)
    flags.command_config()
    flags.value("--feature", repeated=True, help="name=level; for disable only the name")
    flags.value("--release-version", help="all features of a release, as 4.3")
    flags.value("--metadata", help="the release of metadata.version; say --release-version today")
    flags.switch("--unsafe", help="lower it even where that loses metadata")
    flags.switch("--dry-run", help="only check")
    flags.value("--node-id", kind=number, help="describe: ask this node")


def run(args: argparse.Namespace) -> int:
    command = args.command[0] if args.command else ""
    if command not in _COMMANDS:
        raise Refused(f"invalid choice: '{command}' (choose from {', '.join(_COMMANDS)})")
    try:
        if command == "version-mapping":
            print("\n".join(mapping_lines(args.release_version or LATEST)))
            return 0
        if command == "feature-dependencies":
            print("\n".join(line for text in args.feature for line in dependency_lines(text)))
            return 0
        if args.bootstrap_server is None:
            raise Refused('Missing required argument "[bootstrap-server]"')
        if command == "describe":
            return asked(args, lambda admin: _describe(admin, args))
        levels = wanted(args, command)
        return asked(args, lambda admin: _change(admin, args, command, levels))
    except OttlaError as error:
        print(said(error), file=sys.stderr)
        return FAILED


def _level(text: str) -> tuple[str, int]:
    name, equals, level = text.partition("=")
    if not equals:
        raise LocalProtocolError(f"Can't parse feature=level string {text}: equals sign not found.")
    try:
        return name.strip(), int(level)
    except ValueError:
        raise LocalProtocolError(
            f"Can't parse feature=level string {text}: unable to parse {level} as a short."
        ) from None


def dependency_lines(text: str) -> Iterator[str]:
    """Raises LocalProtocolError for a feature or a level that is not known."""
    name, level = _level(text)
    if name == METADATA:
        yield f"{name}={level} ({name_of(level)}) has no dependencies."
        return
    if name not in FEATURES:
        raise LocalProtocolError(f"Unknown feature: {name}")
    if not 0 <= level <= FEATURES[name][1]:
        raise LocalProtocolError(f"No feature:{name} with feature level {level}")
    needs = NEEDS.get((name, level))
    if needs is None:
        yield f"{name}={level} has no dependencies."
    else:
        yield f"{name}={level} requires:"
        yield f"    {needs[0]}={needs[1]} ({name_of(needs[1])})"


def wanted(args: argparse.Namespace, command: str) -> dict[str, int]:
    """By feature, the level to change to. Raises LocalProtocolError."""
    if args.release_version is not None:
        if args.metadata is not None or args.feature:
            raise LocalProtocolError("Can not specify `release-version` with other feature flags.")
        level = level_of(args.release_version)
        found = {METADATA: level} | features_at(level)
        return {name: to for name, to in found.items() if to > 0 or command != "upgrade"}
    levels: dict[str, int] = {}
    if args.metadata is not None:
        print(" `metadata` flag is deprecated and may be removed in a future release.")
        levels[METADATA] = level_of(args.metadata)
    for text in args.feature:
        name, level = (text, 0) if command == "disable" else _level(text)
        if name in levels:
            raise LocalProtocolError(f"Feature {name} was specified more than once.")
        levels[name] = level
    if not levels:
        raise LocalProtocolError(f"You must specify at least one feature to {command}")
    return levels


async def _describe(admin: "Admin", args: argparse.Namespace) -> int:
    from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse

    request = ApiVersionsRequest("ottla", "1")
    if args.node_id is None:
        answer = await admin.any(request, ApiVersionsResponse)
    else:
        answer = await admin.broker(args.node_id, request, ApiVersionsResponse)
    for line in lines(answer):
        print(line)
    return 0


def lines(answer: "ApiVersionsResponse") -> Iterator[str]:
    levels = {one.name: one.max_version_level for one in answer.finalized_features}
    epoch = answer.finalized_features_epoch
    for one in sorted(answer.supported_features, key=lambda one: one.name):
        cells = (
            f"Feature: {one.name}",
            f"SupportedMinVersion: {_text(one.name, one.min_version)}",
            f"SupportedMaxVersion: {_text(one.name, one.max_version)}",
            f"FinalizedVersionLevel: {_text(one.name, levels.get(one.name, 0))}",
        )
        yield _row(cells) + f"Epoch: {'-' if epoch < 0 else epoch}"


def _row(cells: Sequence[str]) -> str:
    found = []
    for cell, width in zip(cells, _WIDTHS, strict=True):
        label, _, value = cell.partition(": ")
        found.append(f"{label}: {value:<{width}}")
    return "".join(found)


def _text(feature: str, level: int) -> str:
    return name_of(level) if feature == METADATA else str(level)


async def _change(
    admin: "Admin", args: argparse.Namespace, command: str, levels: dict[str, int]
) -> int:
    from ottla.wire.message.update_features import (
        FeatureUpdateKey,
        UpdateFeaturesRequest,
        UpdateFeaturesResponse,
    )

    kind = _UPGRADE
    if command != "upgrade":
        kind = _UNSAFE_DOWNGRADE if args.unsafe else _SAFE_DOWNGRADE
    updates = [
        FeatureUpdateKey(name, levels[name], allow_downgrade=kind != _UPGRADE, upgrade_type=kind)
        for name in in_hash_order([*levels])  # which one is refused first depends on it
    ]
    request = UpdateFeaturesRequest(feature_updates=updates, validate_only=args.dry_run)
    answer = await admin.controller(request, UpdateFeaturesResponse)
    errors: dict[str, tuple[int, str | None]] = dict.fromkeys(
        levels, (answer.error_code, answer.error_message)
    )
    for one in answer.results:
        errors[one.feature] = (one.error_code, one.error_message)
    failures = 0
    for name, (code, message) in sorted(errors.items()):
        try:
            check(code, message)
        except ApiError as error:
            to = "" if command == "disable" else f" to {levels[name]}"
            verb = "Can not" if args.dry_run else "Could not"
            print(f"{verb} {command} {name}{to}. {said(error)}")
            failures += 1
            continue
        how = "disabled." if command == "disable" else f"{command}d to {levels[name]}."
        print(f"{name} {'can be' if args.dry_run else 'was'} {how}")
    if failures:
        raise LocalProtocolError(f"{failures} out of {len(levels)} operation(s) failed.")
    return 0
