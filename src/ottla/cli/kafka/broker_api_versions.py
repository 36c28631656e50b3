"""kafka-broker-api-versions: which versions of which requests each broker serves, and which are used."""

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.kafka.ask import told
from ottla.cli.kafka.flags import Flags

if TYPE_CHECKING:
    from ottla.aio.admin import Admin
    from ottla.wire.api import Api

_KEY_MAX: Final = 92
"""The last request of the release whose tools these are."""


def add_flags(flags: Flags) -> None:
    flags.bootstrap()
    flags.command_config()


def run(args: argparse.Namespace) -> int:
    return told(args, _print)


async def _print(admin: "Admin") -> int:
    from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse

    cluster = await admin.client.refresh(())
    for broker_id, address in sorted(cluster.brokers.items()):
        request = ApiVersionsRequest("ottla", "1")
        answer = await admin.broker(broker_id, request, ApiVersionsResponse)
        served = {one.api_key: (one.min_version, one.max_version) for one in answer.api_keys}
        rack = cluster.racks.get(broker_id, "null")
        print(f"{address.host}:{address.port} (id: {broker_id} rack: {rack} isFenced: false) -> (")
        print(",\n".join(f"\t{line}" for line in lines(served)))
        print(")")
    return 0


def lines(served: Mapping[int, tuple[int, int]]) -> Iterator[str]:
    """`Produce(0): 0 to 11 [usable: 11]`, by key; what is served and unknown here, last."""
    from ottla.wire.api import APIS

    for api in APIS.values():
        if api.key in served:
            low, high = served[api.key]
            yield f"{api.name}({api.key}): {_range(low, high)} {_usable(api, low, high)}"
        elif api.served_by_broker and api.key <= _KEY_MAX:
            yield f"{api.name}({api.key}): UNSUPPORTED"
    for key in sorted(served.keys() - APIS.keys()):
        yield f"UNKNOWN({key}): {_range(*served[key])}"


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _usable(api: "Api", low: int, high: int) -> str:
    if api.min_version > high:
        return "[unusable: node too old]"
    if api.max_version < low:
        return "[unusable: node too new]"
    return f"[usable: {min(api.max_version, high)}]"
