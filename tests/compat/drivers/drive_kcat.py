"""kcat, one process per request (`contract.py`). `driver BOOTSTRAP KCAT…` names its command line.

kcat takes a message from a file, byte for byte, or one per line; a key and headers only as text
arguments, and no timestamp. It tells no error codes but librdkafka's words for them.
"""

from __future__ import annotations

import itertools
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from contract import (
    CONSUME_SECONDS_MAX,
    HEARTBEAT_MS,
    LEAVE_SECONDS_MAX,
    MEMBERS,
    SESSION_MS,
    Cannot,
    Member,
    Refused,
    Request,
    given,
    leave,
    serve,
    to_bytes,
    to_text,
)

KCAT = sys.argv[2:]
TAKE_PAUSE_SECONDS = 0.05
# Ends a printed record; the lengths before it tell where key and value end, whatever they hold.
SENTINEL = b"\n--end of record--\n"
# The last fetch waits for records that don't come; half a second each would be most of the run.
READ_OPTIONS = ("-X", "auto.offset.reset=error", "-X", "fetch.wait.max.ms=50")
CODES = {"Message size too large": 10, "Offset out of range": 1, "Unknown topic or partition": 3}


def run(*arguments: str, input_bytes: bytes = b"") -> tuple[bytes, str]:
    done = subprocess.run(
        [*KCAT, *arguments],
        input=input_bytes,
        capture_output=True,
        timeout=CONSUME_SECONDS_MAX + 10,
    )
    words = done.stderr.decode(errors="replace")
    for text, code in CODES.items():
        if f"Broker: {text}" in words:
            raise Refused(code, words.strip().splitlines()[-1])
    if done.returncode != 0:
        raise RuntimeError(words)
    return done.stdout, words


def topics(bootstrap: str, request: Request) -> list[str]:
    listed, _ = run("-L", "-b", bootstrap)
    return sorted(re.findall(r'^  topic "([^"]+)"', listed.decode(), re.M))


def partitions(bootstrap: str, request: Request) -> list[int]:
    listed, _ = run("-L", "-b", bootstrap, "-t", request["topic"])
    return sorted(
        int(found) for found in re.findall(r"^    partition (\d+),", listed.decode(), re.M)
    )


def produce(bootstrap: str, request: Request) -> list[Request]:
    options = ["-P", "-vv", "-b", bootstrap, "-t", request["topic"], "-z", request["codec"]]
    if "idempotent" in request:
        options += ["-X", f"enable.idempotence={str(request['idempotent']).lower()}"]
    if "batch_bytes" in request:
        options += ["-X", f"batch.size={request['batch_bytes']}"]
    if "request_bytes" in request:
        options += ["-X", f"message.max.bytes={request['request_bytes']}"]
    placed: list[Request] = []

    def shape(record: Request) -> tuple[int, str | None, str]:
        return record["partition"], record["key"], repr(record["headers"])

    # Records alike in all but their value, and following one another, go in one process.
    for _, alike in itertools.groupby(request["records"], shape):
        records = list(alike)
        arguments = list(options)
        for name, value in records[0]["headers"]:
            arguments += ["-H", f"{name}={(to_bytes(value) or b'').decode()}"]
        key = to_bytes(records[0]["key"])
        if key is not None:
            arguments += ["-k", key.decode()]
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, record in enumerate(records):
                files.append(str(Path(folder) / f"{number}"))
                Path(files[-1]).write_bytes(to_bytes(record["value"]) or b"")
            _, words = run(*arguments, "-p", str(records[0]["partition"]), *files)
        reports = re.findall(r"Message delivered to partition (\d+) \(offset (\d+)\)", words)
        placed += [{"partition": int(part), "offset": int(offset)} for part, offset in reports]
    return placed


def consume(bootstrap: str, request: Request) -> list[Request]:
    return [
        record
        for number, start in request["starts"].items()
        for record in consume_partition(bootstrap, request["topic"], int(number), start)
    ]


def consume_partition(bootstrap: str, topic: str, partition: int, start: int) -> list[Request]:
    layout = r"%p %o %T %K %S\n%k%s%h" + SENTINEL.decode().replace("\n", r"\n")
    where = ("-b", bootstrap, "-t", topic, "-p", str(partition), "-o", str(start))
    printed, _ = run("-C", "-e", "-q", *where, "-f", layout, *READ_OPTIONS)
    records = []
    at = 0
    while at < len(printed):
        line_end = printed.index(b"\n", at)
        part, offset, timestamp, key_size, value_size = map(int, printed[at:line_end].split())
        value_at = line_end + 1 + max(key_size, 0)
        headers_at = value_at + max(value_size, 0)
        end = printed.index(SENTINEL, headers_at)
        key, value = printed[line_end + 1 : value_at], printed[value_at:headers_at]
        records.append(
            {
                "partition": part,
                "offset": offset,
                "timestamp": timestamp,
                "key": None if key_size < 0 else to_text(key),
                "value": None if value_size < 0 else to_text(value),
                "printed_headers": to_text(printed[headers_at:end]),
            }
        )
        at = end + len(SENTINEL)
    return records


def query(bootstrap: str, topic: str, partition: int, timestamp: int) -> int:
    printed, _ = run("-Q", "-b", bootstrap, "-t", f"{topic}:{partition}:{timestamp}")
    (offset,) = re.findall(r"offset (-?\d+)", printed.decode())
    return int(offset)


def times(bootstrap: str, request: Request) -> list[Request | None]:
    found = [
        query(bootstrap, request["topic"], request["partition"], timestamp)
        for timestamp in request["timestamps"]
    ]
    return [{"offset": offset} if offset >= 0 else None for offset in found]


def watermarks(bootstrap: str, request: Request) -> list[int]:
    topic, partition = request["topic"], request["partition"]
    return [query(bootstrap, topic, partition, special) for special in (-2, -1)]


def join(bootstrap: str, request: Request) -> None:
    """`kcat -G` commits by itself: often, when partitions are taken away, and at its end."""
    settings = {
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 100,
        "session.timeout.ms": SESSION_MS,
        "heartbeat.interval.ms": HEARTBEAT_MS,
        "partition.assignment.strategy": request["strategy"],
    }
    if request["strategy"] != "range":
        raise Cannot(f"its -G does not do {request['strategy']}")
    if request["instance"] is not None:
        settings["group.instance.id"] = request["instance"]
    options = [f"{name}={value}" for name, value in settings.items()]
    words = [word for option in options for word in ("-X", option)]
    process = subprocess.Popen(
        [
            *KCAT,
            "-b",
            bootstrap,
            *words,
            "-u",
            "-f",
            r"%p %o\n",
            "-G",
            request["group"],
            request["topic"],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if " rebalanced " in line:
                named = [int(found) for found in re.findall(r" \[(\d+)\]", line)]
                if ": assigned:" in line:
                    member.partitions = named
                    member.rebalances += 1
                else:
                    member.partitions = []

    def take() -> list[tuple[int, int]]:
        time.sleep(TAKE_PAUSE_SECONDS)
        if process.poll() is not None:
            raise RuntimeError(f"kcat ended with {process.returncode}")
        return taken()

    def taken() -> list[tuple[int, int]]:
        pairs = []
        while not lines.empty():
            partition, offset = lines.get().split()
            pairs.append((int(partition), int(offset)))
        return pairs

    def close() -> None:
        process.terminate()
        process.wait(LEAVE_SECONDS_MAX)
        for thread in threads:
            thread.join(LEAVE_SECONDS_MAX)
        member.pending = taken()  # it commits them when it ends

    member = Member(take, close)
    threads = [threading.Thread(target=work, daemon=True) for work in (read, listen)]
    for thread in threads:
        thread.start()
    MEMBERS[request["member"]] = member
    member.start()


serve(
    {
        "topics": topics,
        "partitions": partitions,
        "produce": produce,
        "consume": consume,
        "times": times,
        "watermarks": watermarks,
        "join": join,
        "given": given,
        "leave": leave,
    }
)
