"""`ottla topic watch [NAME...]`: what comes in, looked at every few seconds until Ctrl-C.

In a terminal the table is drawn over itself. Into a pipe each look is a table of its own, or with
`--json` an object on one line, so that a program may read them as they come. The rate is that of offsets:
transaction markers count too.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.bootstrap import FAILED, whole_number
from ottla.cli.offsets import asked_places
from ottla.cli.positions import named, offsets_at
from ottla.cli.tabular import JSON_VERSION, Cell, names_of, table
from ottla.cli.terminal import height, width

if TYPE_CHECKING:
    from ottla.aio.client import Client
    from ottla.client.groups import Place

_COLUMNS: Final = ("TOPIC", "PARTITION", "LEADER", "FIRST", "END", "PER-SECOND")
_INTERVAL_MS: Final = 2_000
_INTERVAL_MS_MAX: Final = 86_400_000
_LOOKS_MAX: Final = 2**31 - 1
_HOME: Final = "\x1b[H"
_WIPE_ALL: Final = "\x1b[2J"
_WIPE_LINE: Final = "\x1b[K"
_WIPE_BELOW: Final = "\x1b[J"

_EPILOG: Final = """\
examples:
  ottla topic watch
  ottla topic watch orders payments:0 --interval-ms 500
  ottla topic watch orders --json --count 10 | jq .items
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("topics", nargs="*", type=named, metavar="NAME[:0,1]", help="(else all)")
    parser.add_argument(
        "--interval-ms",
        type=whole_number(100, _INTERVAL_MS_MAX),
        default=_INTERVAL_MS,
        metavar="N",
        help=f"look so often ({_INTERVAL_MS:,})",
    )
    parser.add_argument(
        "--count",
        type=whole_number(1, _LOOKS_MAX),
        metavar="N",
        help="end after so many looks (else by Ctrl-C)",
    )
    parser.add_argument("--json", action="store_true", help="for programs: a line for each look")


async def watch(client: "Client", args: argparse.Namespace) -> int:
    """The exit code. Ctrl-C is how it usually ends."""
    import asyncio

    try:
        return await _looking(client, args)
    except asyncio.CancelledError:
        return 0


async def _looking(client: "Client", args: argparse.Namespace) -> int:
    import asyncio

    from ottla.client.lookup import EARLIEST, LATEST

    loop = asyncio.get_running_loop()
    before: Mapping[Place, int | None] = {}
    looked_at = loop.time()
    looks = 0
    while True:
        places = await asked_places(client, args.topics)
        if places is None:
            return FAILED
        firsts = await offsets_at(client, places, EARLIEST)
        ends = await offsets_at(client, places, LATEST)
        now = loop.time()
        rates = per_second(before, ends, now - looked_at)
        before, looked_at = ends, now
        rows: list[Sequence[Cell]] = [
            (*place, client.cluster.leader_of(*place), firsts.get(place), ends.get(place), rate)
            for place, rate in zip(places, (rates.get(place) for place in places), strict=True)
        ]
        _show(rows, as_json=args.json, is_first=not looks)
        looks += 1
        if looks == args.count:
            return 0
        await asyncio.sleep(args.interval_ms / 1000)


def per_second(
    before: "Mapping[Place, int | None]", now: "Mapping[Place, int | None]", seconds: float
) -> "dict[Place, int]":
    """By partition that was there at both looks."""
    found = {}
    for place, end in now.items():
        was = before.get(place)
        if was is not None and end is not None and seconds > 0:
            found[place] = round(max(0, end - was) / seconds)
    return found


def _show(rows: Sequence[Sequence[Cell]], *, as_json: bool, is_first: bool) -> None:
    if as_json:
        items = [dict(zip(names_of(_COLUMNS), row, strict=True)) for row in rows]
        print(json.dumps({"version": JSON_VERSION, "kind": "watch", "items": items}), flush=True)
        return
    columns = width(sys.stdout)
    if columns is None:
        if not is_first:
            print()
        print("\n".join(table(_COLUMNS, rows)), flush=True)
        return
    lines = fitting(list(table(_COLUMNS, rows, columns - 1)), columns, height(sys.stdout))
    start = _WIPE_ALL + _HOME if is_first else _HOME
    sys.stdout.write(start + "".join(f"{line}{_WIPE_LINE}\n" for line in lines) + _WIPE_BELOW)
    sys.stdout.flush()


def fitting(lines: list[str], columns: int, rows: int) -> list[str]:
    """What a screen holds of them: it is drawn over, so nothing may wrap or scroll."""
    room = max(2, rows - 1)
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], f"... and {hidden:,} more; name topics to see them"]
    return [line[: columns - 1] for line in lines]
