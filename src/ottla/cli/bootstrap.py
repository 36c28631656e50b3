"""How a tool finds its cluster, and what it says when it cannot do what it was asked.

Every tool takes `--bootstrap-server`; without it the variable KAFKA_BOOTSTRAP_SERVERS counts, then
localhost:9092. Whatever goes wrong on the way is an `OttlaError`; here it becomes words for stderr:
the object, the value, and what to do next.
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Final

from ottla.client.metadata import Address
from ottla.errors import ApiError, ErrorCode, OttlaError

if TYPE_CHECKING:
    from ottla.aio.client import Client

VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
FAILED: Final = 1

_DEFAULT: Final = "localhost:9092"
_PORT: Final = 9092
_PORT_MAX: Final = 65_535


def add_bootstrap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bootstrap-server",
        type=addresses,
        default=os.environ.get(VARIABLE) or _DEFAULT,
        metavar="HOST:PORT[,...]",
        help=f"where a broker of the cluster listens (else ${VARIABLE}, else {_DEFAULT})",
    )


def addresses(text: str) -> list[Address]:
    """`host:port`, several with commas; an IPv6 address in brackets. For argparse."""
    found = [_address(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names no broker; host:port is expected")
    return found


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: host:port is expected, IPv6 as [address]:port")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r}: host and a port from 1 to {_PORT_MAX:,}")
    return Address(host, int(port))


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number within limits, both included."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value}: {low} to {high} is expected")
        return value

    return number


def key_value(text: str) -> tuple[str, str]:
    """`retention.ms=60000`, for argparse."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: KEY=VALUE is expected")
    return name.strip(), value


def run_with_client(
    bootstrap: Sequence[Address],
    work: "Callable[[Client], Coroutine[None, None, int]]",
    *,
    topic: str = "NAME",
) -> int:
    """Run `work` with a client of the cluster; the exit code. Failures are explained on stderr.

    `topic`: the one it is about.
    """
    # Here and not above, so that --help does not pay for them. They make no garbage.
    gc.disable()
    import asyncio

    from ottla.aio.client import Client
    from ottla.client.options import ConnectionOptions

    gc.enable()

    async def connected() -> int:
        async with Client(ConnectionOptions(bootstrap=tuple(bootstrap))) as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except OttlaError as error:
        complain(explained(error, bootstrap, topic))
        return FAILED


def complain(text: str) -> None:
    print(f"ottla: {text}", file=sys.stderr)


def explained(error: OttlaError, bootstrap: Sequence[Address], topic: str) -> str:
    """What to tell the user."""
    from ottla.aio.client import AdvertisedUnreachable, Unreachable

    if isinstance(error, Unreachable) and not isinstance(error, AdvertisedUnreachable):
        where = ",".join(str(address) for address in bootstrap)
        return (
            f"No broker answers at {where}: {error.reason}. Start one (ottla serve), say where it is "
            f"(--bootstrap-server HOST:PORT), or find out why (ottla doctor {where})."
        )
    if isinstance(error, ApiError):
        return _explained_code(error, topic)
    return f"{error}."


def _explained_code(error: ApiError, topic: str) -> str:
    match error.code:
        case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            return f"Topic '{topic}' does not exist. Create it with: ottla topic create {topic}"
        case ErrorCode.LEADER_NOT_AVAILABLE:
            return (
                f"Topic '{topic}' has no leader at the moment (LEADER_NOT_AVAILABLE). "
                f"See: ottla topic describe {topic}"
            )
        case ErrorCode.INVALID_TOPIC_EXCEPTION:
            return (
                f"Topic '{topic}' cannot exist (INVALID_TOPIC_EXCEPTION): names have 1 to 249 "
                "letters, digits, '.', '_' and '-'."
            )
    return f"{error}."
