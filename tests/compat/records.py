"""The records the checks write, and what "the same record" means when one is read back.

One set of awkward records serves every client and codec: absent, empty, textual and binary keys and
values, values that compress well and values that don't, repeated and empty headers, time stamps out
of order. `as_written_by` leaves out only what a client can't express (`clients.py`).
"""

from __future__ import annotations

import random
from base64 import b64decode, b64encode
from typing import Any, Final

from clients import Client

# Far enough back that no broker would invent it. Topics with such records need retention.ms=-1.
FIRST_MS: Final = 1_700_000_000_000
Record = dict[str, Any]


def b64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def record(
    value: bytes | None,
    *,
    partition: int = 0,
    key: bytes | None = None,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    timestamp: int | None = None,
) -> Record:
    return {
        "partition": partition,
        "key": b64(key),
        "value": b64(value),
        "headers": [[name, b64(content)] for name, content in headers],
        "timestamp": timestamp,
    }


def awkward_records(partition: int) -> list[Record]:
    noise = random.Random(20).randbytes
    shapes: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]] = [
        (b"plain key", b"plain value", (("content-type", b"text/plain"),)),
        (None, b"no key", ()),
        (b"", b"empty key", ()),
        (b"tombstone", None, ()),
        (b"empty value", b"", ()),
        ("schlüssel".encode(), "wert: größe £ 日本".encode(), (("name", "é".encode()),)),
        (bytes(range(256)), bytes(range(256)) * 4, (("binary", bytes(range(256))),)),
        (b"headers", b"repeated", (("same", b"1"), ("same", b"2"), ("other", b""))),
        (b"headers", b"out of order", (("b", b"1"), ("a", b"2"), ("b", b"3"))),
        (b"headers", b"null", (("null", None),)),
        (b"big", b"compresses well " * 6000, ()),
        (b"big", noise(20_000), (("trace", noise(16)),)),
        *((f"k{n}".encode(), f"value {n}".encode() * 20, ()) for n in range(20)),
    ]
    # Time goes back now and then, as the clocks of producers do.
    return [
        record(
            value,
            partition=partition,
            key=key,
            headers=headers,
            timestamp=FIRST_MS + number * 1000 - (number % 5) * 3000,
        )
        for number, (key, value, headers) in enumerate(shapes)
    ]


def as_written_by(client: Client, records: list[Record]) -> list[Record]:
    """Those of `records` that `client` can express."""
    if client.text_only:
        return [{**one, "timestamp": None} for one in records if _is_text(one)]
    if not client.null_headers:
        records = [one for one in records if all(value is not None for _, value in one["headers"])]
    if client.unique_headers:
        records = [one for one in records if _repeats_sit_together(one["headers"])]
    return records


def _is_text(one: Record) -> bool:
    """Non-empty throughout, because kcat makes no difference between empty and absent."""
    parts = [one["key"], one["value"], *(value for _, value in one["headers"])]
    plain = all(part is None or _decodes(part) for part in [one["key"], *parts[2:]])
    return plain and "" not in parts and one["value"] is not None and None not in parts[2:]


def _decodes(part: str) -> bool:
    try:
        return "\0" not in b64decode(part).decode()
    except UnicodeDecodeError:
        return False


def _repeats_sit_together(headers: list[list[str]]) -> bool:
    names = [name for name, _ in headers]
    return names == sorted(names, key=names.index)


def difference(expected: list[Record], seen: list[Record]) -> str | None:
    """What is wrong with `seen`, in words; None when both say the same, in the same order."""
    if len(expected) != len(seen):
        return f"{len(seen)} records instead of {len(expected)}"
    for number, (want, got) in enumerate(zip(expected, seen, strict=True)):
        for field in ("partition", "offset", "timestamp", "key", "value"):
            if want.get(field) is not None or field in ("key", "value"):
                if want[field] != got[field]:
                    return f"record {number}: {field} is {_short(got[field])}, not {_short(want[field])}"
        if "printed_headers" in got:
            if b64decode(got["printed_headers"]) != _printed(want["headers"]):
                return f"record {number}: headers print as {b64decode(got['printed_headers'])!r}"
        elif want["headers"] != got["headers"]:
            return f"record {number}: headers are {got['headers']}, not {want['headers']}"
    return None


def _printed(headers: list[list[str | None]]) -> bytes:
    """As kcat prints them: a value as far as its first zero byte."""
    return b",".join(
        (name or "").encode()
        + b"="
        + (b"NULL" if value is None else b64decode(value).split(b"\0")[0])
        for name, value in headers
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
