"""`kafka-dump-log`: what the files of a partition hold, line for line as Kafka's tool prints it.

Segments and snapshots of the metadata (`dump_records.py`), offset and time indexes, aborted
transactions, producer snapshots (`dump_index.py`). The contents go to stdout, what is wrong with them
to stderr after the last file. Nothing is written, and a broker may be using the files.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ottla.cli.bootstrap import whole_number
from ottla.cli.kafka.dump_index import (
    Faults,
    dump_index,
    dump_producers,
    dump_time_index,
    dump_transactions,
)
from ottla.cli.kafka.dump_records import Dump, Parse, decoded, dump_records, parse_with
from ottla.cli.kafka.flags import FAILED, Flags
from ottla.errors import RemoteProtocolError
from ottla.limits import INT_MAX

_LARGEST_BYTES: Final = 5 * 1024 * 1024
_STRING_DECODER: Final = "org.apache.kafka.tools.api.StringDecoder"
_PARSERS: Final = ("offsets", "transaction_log", "cluster_metadata", "share_group_state")


def add_flags(flags: Flags) -> None:
    flags.value("--files", required=True, help="the files, with commas between")
    flags.switch("--print-data-log", help="print the records of segments, not their batches alone")
    flags.switch("--deep-iteration", help="look at every record; --print-data-log does")
    flags.switch("--verify-index-only", help="say what is wrong with an index, not what is in it")
    flags.switch("--index-sanity-check", help="only whether a broker would rebuild the index")
    flags.value(
        "--max-message-size",
        default=str(_LARGEST_BYTES),
        kind=whole_number(0, INT_MAX),
        help="the largest batch an index may point to, in bytes (5242880)",
    )
    flags.value(
        "--max-bytes",
        default=str(INT_MAX),
        kind=whole_number(0, INT_MAX),
        help="read so many bytes of each segment (all)",
    )
    flags.switch("--skip-record-metadata", help="keys and values alone")
    for name, what in (
        ("offsets", "__consumer_offsets"),
        ("transaction-log", "__transaction_state"),
        ("cluster-metadata", "the cluster's metadata"),
        ("share-group-state", "__share_group_state"),
        ("remote-log-metadata", "__remote_log_metadata"),
    ):
        flags.switch(f"--{name}-decoder", help=f"print the records as those of {what}")
    for part in ("key", "value"):
        flags.optional_value(
            f"--{part}-decoder-class",
            bare=_STRING_DECODER,
            help=f"how to print a {part}: {_STRING_DECODER}, or Integer or Long in its place",
        )


def run(args: argparse.Namespace) -> int:
    parse = _parser(args)
    if isinstance(parse, str):
        print(parse, file=sys.stderr)
        return FAILED
    prints = args.print_data_log or any(
        (
            *(getattr(args, f"{name}_decoder") for name in _PARSERS),
            args.key_decoder_class,
            args.value_decoder_class,
        )
    )
    dump = Dump(
        parse=parse,
        prints_contents=bool(prints),
        is_deep=bool(prints) or args.deep_iteration,
        skips_metadata=args.skip_record_metadata,
        bytes_max=args.max_bytes,
    )
    faults = Faults()
    try:
        for name in args.files.split(","):
            _dump(name, args, dump, faults)
    except OSError as error:
        _flushed(f"{error.filename}: {error.strerror}")
        return FAILED
    except RemoteProtocolError as error:
        _flushed(str(error))
        return FAILED
    sys.stdout.flush()
    for line in faults.lines():
        print(line, file=sys.stderr)
    return 0


def _parser(args: argparse.Namespace) -> Parse | str:
    """How records are printed, or why that cannot be."""
    if args.remote_log_metadata_decoder:
        return "--remote-log-metadata-decoder: tiered storage is not there, so nothing is decoded"
    for name in _PARSERS:
        if getattr(args, f"{name}_decoder"):
            return parse_with(name)
    key = decoded(args.key_decoder_class or _STRING_DECODER)
    value = decoded(args.value_decoder_class or _STRING_DECODER)
    if key is None or value is None:
        unknown = args.key_decoder_class if key is None else args.value_decoder_class
        return f"{unknown}: this decoder is not there; {_STRING_DECODER} is"
    return Parse(key, value)


def _dump(name: str, args: argparse.Namespace, dump: Dump, faults: Faults) -> None:
    path = Path(name)
    print(f"Dumping {path}")
    how: dict[str, Callable[[], None]] = {
        ".log": lambda: dump_records(path, dump, faults.gaps),
        ".checkpoint": lambda: dump_records(path, dump, faults.gaps),
        ".index": lambda: dump_index(
            path,
            faults,
            is_sanity_only=args.index_sanity_check,
            is_quiet=args.verify_index_only,
            batch_bytes_max=args.max_message_size,
        ),
        ".timeindex": lambda: dump_time_index(
            path,
            faults,
            is_sanity_only=args.index_sanity_check,
            is_quiet=args.verify_index_only,
        ),
        ".snapshot": lambda: dump_producers(path),
        ".txnindex": lambda: dump_transactions(path),
    }
    handle = how.get(path.suffix)
    if handle is None:
        _flushed(f"Ignoring unknown file {path}")
    else:
        handle()


def _flushed(complaint: str) -> None:
    """Said after what was printed so far, where both go to one terminal."""
    sys.stdout.flush()
    print(complaint, file=sys.stderr)
