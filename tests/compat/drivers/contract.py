"""The line contract every driver speaks, and the loop that speaks it for the Python drivers.

The Go drivers' loop is in `contract.go`.

A driver is started as `driver BOOTSTRAP [option=value ...]`, the options being the client's own. It reads one JSON request per line, `{"op": …, …}`, and
answers each with one JSON line, until its input ends:

    {"ok": value}                                 done
    {"refused": {"code": 10, "message": "…"}}     the broker said no, with the protocol's error code
    {"cannot": "reason"}                          this client has no such feature
    {"failed": "…"}                               anything else: the check is red

Bytes travel as base64, a null stays null. A record is `{partition, key, value, headers, timestamp}`
with headers `[[name, bytes], …]`; what was read also has its `offset`. Operations:

    create          topic, partitions, configs          null
    topics                                              [name, …]
    partitions      topic                               [id, …]
    delete          topic                               null
    alter           topic, configs                      null; old clients replace all settings by it
    produce         topic, codec, records, idempotent   [{partition, offset}, …] in records' order;
                    (true; absent: client's default),   offset null if the client doesn't tell
                    batch_bytes, request_bytes
    consume         topic, starts {partition: offset},  [record, …] in the order they came; fewer
                    count                               when time is up
    times           topic, partition, timestamps        [{offset, timestamp} or null, …]
    watermarks      topic, partition                    [first offset, end offset]
    delete_records  topic, partition, before            first offset afterwards

    join            member, group, topic, strategy      null; from now on a consumer of that name reads
                    ("range", "cooperative-sticky"),    in the background, and commits what it read
                    instance (a static member's name,
                    or null)
    given           member                              {partitions: [id, …] that are assigned to it,
                                                        records: [[partition, offset], …] it committed,
                                                        rebalances: how often it was given partitions}
    leave           member                              as for given, when it is gone

In `consume` partitions are assigned, there is no group, and nothing is committed. A driver is a thin
shell over its client: it never retries, repairs or checks anything, that is for the harness.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, Final

CONSUME_SECONDS_MAX: Final = 15.0
LEAVE_SECONDS_MAX: Final = 15.0
SESSION_MS: Final = 10_000
HEARTBEAT_MS: Final = 500

Request = dict[str, Any]
Operation = Callable[[str, Request], Any]


class Refused(Exception):
    """The broker answered with an error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cannot(Exception):
    """The client has no such feature."""


class Member:
    """A consumer in a group, read by a thread until it shall leave.

    `take` polls once and commits; it returns the (partition, offset) pairs that are committed then.
    What could not be committed in the middle of a rebalance waits in `pending`: it is committed with
    the next records if its partition stays here, and read by somebody else if not.
    """

    def __init__(
        self, take: Callable[[], list[tuple[int, int]]], close: Callable[[], None]
    ) -> None:
        self.partitions: list[int] = []
        self.rebalances = 0
        self.pending: list[tuple[int, int]] = []
        self._records: list[tuple[int, int]] = []
        self._failure: str | None = None
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(take, close), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _read(self, take: Callable[[], list[tuple[int, int]]], close: Callable[[], None]) -> None:
        try:
            while not self._leaving.is_set():
                self._records += take()
            close()
            self._records += self.committed()
        except Exception:  # noqa: BLE001 - told when it is asked what it got
            self._failure = traceback.format_exc(limit=-6)

    def committed(self) -> list[tuple[int, int]]:
        """What was pending; nothing is from now on."""
        done, self.pending = self.pending, []
        return done

    def lose(self, gone: set[int]) -> None:
        """These partitions are not this member's any more."""
        self.partitions = [one for one in self.partitions if one not in gone]
        self.pending = [one for one in self.pending if one[0] not in gone]

    def given(self) -> Request:
        if self._failure is not None:
            raise RuntimeError(self._failure)
        return {
            "partitions": sorted(self.partitions),
            "records": list(self._records),
            "rebalances": self.rebalances,
        }

    def leave(self) -> Request:
        self._leaving.set()
        self._thread.join(LEAVE_SECONDS_MAX)
        return self.given()


MEMBERS: Final[dict[str, Member]] = {}


def client_options() -> dict[str, str]:
    """What the client is to be told besides, wherever it connects."""
    return dict(argument.split("=", 1) for argument in sys.argv[2:])


def given(bootstrap: str, request: Request) -> Request:
    return MEMBERS[request["member"]].given()


def leave(bootstrap: str, request: Request) -> Request:
    return MEMBERS.pop(request["member"]).leave()


def serve(operations: dict[str, Operation]) -> None:
    """Answer requests from standard input until it ends."""
    bootstrap = sys.argv[1]
    # Clients print warnings where they like; the answers keep standard output to themselves.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            operation = operations.get(request["op"])
            if operation is None:
                raise Cannot(f"has no {request['op']}")
            answer: Any = {"ok": operation(bootstrap, request)}
        except Refused as refused:
            answer = {"refused": {"code": refused.code, "message": str(refused)}}
        except Cannot as cannot:
            answer = {"cannot": str(cannot)}
        except Exception:  # noqa: BLE001 - a driver reports whatever its client throws
            answer = {"failed": traceback.format_exc(limit=-6)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def to_bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def to_text(data: bytes | bytearray | memoryview | None) -> str | None:
    return None if data is None else b64encode(bytes(data)).decode()


def headers_of(record: Request) -> list[tuple[str, bytes | None]]:
    return [(name, to_bytes(value)) for name, value in record["headers"]]
