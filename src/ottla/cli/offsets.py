"""`ottla offsets`: where the records of partitions begin and end, and which offset a time has.

`ottla topic offsets` is the same command, kept next to `trim`, which needs its numbers.
"""

import argparse
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, add_bootstrap, complain, run_with_client
from ottla.cli.positions import Named, named, offsets_at, places_of
from ottla.cli.tabular import tell
from ottla.errors import ApiError, ErrorCode, LocalProtocolError

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_COLUMNS: Final = ("TOPIC", "PARTITION", "FIRST", "END")

_EPILOG: Final = """\
examples:
  ottla offsets
  ottla offsets orders payments:0,2
  ottla offsets orders --at 2024-05-01T08:00 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    add_bootstrap(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `ottla topic offsets` has too."""
    parser.add_argument(
        "topics",
        nargs="*",
        type=named,
        metavar="NAME[:0,1]",
        help="which topics or partitions (else all but internal ones)",
    )
    parser.add_argument(
        "--at",
        type=since_ms,
        metavar="TIME",
        help="also the first offset since then: 2024-05-01T08:00 (local time, unless it says +02:00 "
        "or Z), or milliseconds since 1970",
    )


def since_ms(text: str) -> int:
    """A point in time, for argparse."""
    from ottla.cli.consume import milliseconds

    return milliseconds(text)


def run(args: argparse.Namespace) -> int:
    return run_with_client(args.bootstrap_server, lambda client: show(client, args))


async def show(client: "Client", args: argparse.Namespace) -> int:
    from ottla.client.lookup import EARLIEST, LATEST

    places = await asked_places(client, args.topics)
    if places is None:
        return FAILED
    firsts = await offsets_at(client, places, EARLIEST)
    ends = await offsets_at(client, places, LATEST)
    columns: tuple[str, ...] = _COLUMNS
    rows: list[tuple[str | int | None, ...]] = [
        (*place, firsts.get(place), ends.get(place)) for place in places
    ]
    if args.at is not None:
        found = await offsets_at(client, places, args.at)
        columns = (*columns, "AT-TIME")
        rows = [(*row, found.get(place)) for row, place in zip(rows, places, strict=True)]
    tell("offsets", columns, rows, as_json=args.json)
    if not rows and not args.json:
        complain("There are no topics. Create one with: ottla topic create NAME")
    return 0


async def asked_places(client: "Client", wanted: list[Named]) -> "list[Place] | None":
    """The partitions; none named: of all topics that are nobody's inner affair. None: there was one
    that is not there, and the user was told."""
    if not wanted:
        topics = (await client.refresh(None)).topics.values()
        wanted = [Named(one.name, None) for one in topics if not one.is_internal]
        wanted.sort()
    try:
        return await places_of(client, wanted)
    except LocalProtocolError as error:
        complain(f"{_sentence(str(error))}.")
    except ApiError as error:
        if error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
            raise
        complain(f"{_sentence(str(error.message))} does not exist. See: ottla topic list")
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
