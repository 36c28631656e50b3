"""How a tool comes to its cluster: `asked` runs its questions with an `Admin`, in a loop of its own.

What a tool's flags say of the connection (`--bootstrap-server`, `--command-config`) is read here, once for
all of them. Failures are `OttlaError`, for the tool to tell in its own manner; most tell it as `told` does.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import addresses, explained
from ottla.cli.kafka.flags import FAILED, Refused
from ottla.cli.kafka.refusals import said
from ottla.errors import ApiError, ErrorCode, OttlaError

if TYPE_CHECKING:
    from ottla.aio.admin import Admin

API_MS_MAX: Final = 60_000


def asked(
    args: argparse.Namespace,
    work: "Callable[[Admin], Coroutine[None, None, int]]",
    *,
    api_ms_max: int = API_MS_MAX,
    client_id: str = "ottla",
) -> int:
    """Run `work`; its exit code. Raises OttlaError for what went wrong, the connection included."""
    gc.disable()  # imports make no garbage
    import asyncio

    from ottla.aio.admin import Admin
    from ottla.aio.client import Client, Unreachable
    from ottla.cli.kafka.properties import connection, read_properties

    gc.enable()
    try:
        bootstrap = addresses(args.bootstrap_server)
    except argparse.ArgumentTypeError as error:
        raise Refused(str(error)) from None
    path = getattr(args, "command_config", None)
    entries: Mapping[str, str] = {} if path is None else read_properties(path)
    options, security = connection(bootstrap, entries, client_id=client_id)

    async def connected() -> int:
        async with Client(options, security) as client:
            return await work(Admin(client, api_ms_max=api_ms_max))

    try:
        return asyncio.run(connected())
    except Unreachable as error:
        # Told as the native commands tell it: with what may be done.
        raise OttlaError(explained(error, bootstrap, "").removesuffix(".")) from None


def told(args: argparse.Namespace, work: "Callable[[Admin], Coroutine[None, None, int]]") -> int:
    """As `asked`; failures are told on stderr, in one line, with exit code 1."""
    try:
        return asked(args, work)
    except OttlaError as error:
        print(said(error), file=sys.stderr)
        return FAILED


def check(code: int, message: str | None = None) -> None:
    """Raises ApiError for what is an error."""
    if code != ErrorCode.NONE:
        raise ApiError(code, message or None)
