"""Single bits that flip in segments and indexes, at rest and under a running broker.

A directory is written once, by third-party clients, and kept as it was; every flip starts from it.
Then each partition is read from its first offset to its last with plain fetches, and every byte that
comes back is compared with what was written: a batch that is served is served as it was. What may be
refused, with CORRUPT_MESSAGE, is the one batch the bit belongs to, and nothing beside it.
"""

from __future__ import annotations

import random
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from judge import PARTITIONS, TOPIC
from node import Node, NotStarted, Outcome, loaded, say, verified

from ottla.record.batch import batches_untrusted
from ottla.wire.api import APIS, Message
from ottla.wire.header import encode_request
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic

ROUNDS = 120
CORRUPT_MESSAGE = 2
FETCH_VERSION = 11
KINDS = (".log", ".log", ".log", ".index", ".timeindex")


@dataclass(frozen=True, slots=True)
class Flip:
    path: Path
    at: int
    bit: int

    def do(self, root: Path) -> None:
        with (root / self.path).open("r+b") as file:
            file.seek(self.at)
            value = file.read(1)[0]
            file.seek(self.at)
            file.write(bytes((value ^ 1 << self.bit,)))


def run(work: Path, chance: random.Random, rounds: int) -> Outcome:
    outcome = Outcome("bit flips")
    written = {clean: _written(work, clean) for clean in (True, False)}
    refused = found = 0
    for number in range(rounds):
        clean = number % 4 < 2
        pristine = written[clean]
        flip = _drawn(pristine, chance)
        live = number % 2 == 1
        try:
            served, names_it = _one(work, pristine, flip, outcome, live=live)
        except (NotStarted, OSError, AssertionError) as error:
            outcome.problems.append(f"{flip}, clean={clean}, live={live}: {error!r}"[:400])
            continue
        outcome.faults += 1
        refused += not served
        found += names_it
        if number % 20 == 19:
            say(f"  flip {number + 1}: {outcome.corrupt} served, {len(outcome.problems)} problems")
    outcome.figures.append(f"{refused} refused by fetch, {found} named by `ottla log verify`")
    return outcome


def _written(work: Path, clean: bool) -> Path:
    """A directory with several segments, stopped or killed."""
    place = work / f"written-{clean}"
    place.mkdir()
    node = Node(place / "data", place)
    configs = {"segment.bytes": "1048576", "index.interval.bytes": "1024"}
    with loaded(node, place, 2500, configs) as load:
        time.sleep(14)
        ignored = Outcome("")
        load.finish(ignored)
        if clean:
            assert node.stop() == 0
        else:
            node.kill()
    return place / "data"


def _drawn(pristine: Path, chance: random.Random) -> Flip:
    while True:
        kind = chance.choice(KINDS)
        directory = pristine / f"{TOPIC}-{chance.randrange(PARTITIONS)}"
        paths = [path for path in sorted(directory.glob(f"*{kind}")) if path.stat().st_size]
        if not paths:
            continue
        path = chance.choice(paths)
        at = chance.randrange(path.stat().st_size)
        if kind == ".log" and chance.random() < 0.5:  # headers are few bytes, and the worst
            starts = [position for position, _ in _stored(path)]
            at = chance.choice(starts) + chance.randrange(61)
        return Flip(path.relative_to(pristine), at, chance.randrange(8))


def _stored(path: Path) -> list[tuple[int, bytes]]:
    batches = []
    position = 0
    for batch in batches_untrusted(path.read_bytes()):
        batches.append((position, bytes(batch.data or b"")))
        position += batch.size_bytes
    return batches


def _one(
    work: Path, pristine: Path, flip: Flip, outcome: Outcome, *, live: bool
) -> tuple[bool, bool]:
    """(was everything served, did the scrubber name the file)"""
    data = work / "data"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(pristine, data)
    partition = int(flip.path.parent.name.rpartition("-")[2])
    whole: dict[int, bytes] = {}
    damaged = -1
    for path in sorted((pristine / flip.path.parent).glob("*.log")):
        for position, batch in _stored(path):
            base = int.from_bytes(batch[:8], "big")
            whole[base] = batch
            if path.name == flip.path.name and position <= flip.at < position + len(batch):
                damaged = base
    node = Node(data, work)
    if not live:
        flip.do(data)
        names_it = _verify_names(data, flip)
    try:
        node.start()
        if live:
            flip.do(data)
            names_it = _verify_names(data, flip)
        refused = _read(node, partition, whole, damaged, outcome, str(flip))
        if "Traceback" in node.said():
            outcome.problems.append(f"{flip}: a traceback in the log")
    finally:
        node.stop()
    return not refused, names_it


def _verify_names(data: Path, flip: Flip) -> bool:
    done = verified(data, "--topic", TOPIC)
    return flip.path.stem in done.stdout


def _read(
    node: Node, partition: int, whole: dict[int, bytes], damaged: int, outcome: Outcome, what: str
) -> int:
    """Read the partition to its end; how often it was refused."""
    bases = sorted(whole)
    end = bases[-1] + 1 + int.from_bytes(whole[bases[-1]][23:27], "big")
    refused = 0
    seen: set[int] = set()
    offset = 0
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        while offset < end:
            error, records = _fetch(connection, partition, offset)
            outcome.read += 1
            if error:
                holder = max((base for base in bases if base <= offset), default=-1)
                if error != CORRUPT_MESSAGE or holder != damaged:
                    text = f"{what}: error {error} at {offset}, in the batch at {holder}"
                    outcome.problems.append(text)
                    return refused
                refused += 1
                offset = _after(whole[holder], holder)
                continue
            if not records:
                if damaged == bases[-1]:
                    return refused + 1  # the end of the log is gone, with nothing behind it
                outcome.problems.append(f"{what}: nothing at {offset} of {end}")
                return refused
            for batch in batches_untrusted(records):
                assert batch.data is not None
                if whole.get(batch.base_offset) != bytes(batch.data):
                    outcome.corrupt += 1
                    outcome.problems.append(f"{what}: served a changed batch at {offset}")
                    return refused
                seen.add(batch.base_offset)
                offset = batch.next_offset
    absent = set(bases) - seen - {damaged}
    if absent:
        outcome.lost += len(absent)
        outcome.problems.append(f"{what}: batches {sorted(absent)[:5]} were passed over")
    if damaged >= 0 and damaged not in seen and not refused:
        outcome.problems.append(f"{what}: the damaged batch was passed over in silence")
    return refused


def _after(batch: bytes, base: int) -> int:
    return base + 1 + int.from_bytes(batch[23:27], "big")


def _fetch(connection: socket.socket, partition: int, offset: int) -> tuple[int, bytes]:
    asked = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=100_000)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=1_000_000,
        session_epoch=-1,
        topics=[FetchTopic(topic=TOPIC, partitions=[asked])],
    )
    answer = _ask(connection, 1, FETCH_VERSION, request)
    (row,) = answer.responses[0].partitions  # type: ignore[attr-defined]
    return row.error_code, bytes(row.records or b"")


def _ask(connection: socket.socket, api_key: int, version: int, message: Message) -> Message:
    api = APIS[api_key]
    body = api.encode_request(message, version)
    chunks = encode_request(api, version, 1, "chaos", body)
    connection.sendall(b"".join(bytes(chunk) for chunk in chunks))  # type: ignore[call-overload]
    (size,) = struct.unpack(">i", b"".join(_exactly(connection, 4)))
    answer = memoryview(b"".join(_exactly(connection, size)))
    return api.decode_response_untrusted(answer, 4 + api.response_header_version(version), version)


def _exactly(connection: socket.socket, size: int) -> Iterator[bytes]:
    while size:
        piece = connection.recv(size)
        assert piece, "the broker has closed the connection"
        size -= len(piece)
        yield piece
