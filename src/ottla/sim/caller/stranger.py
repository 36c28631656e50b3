"""A caller that is no client: what it sends is no request, or half of one, or one that nobody serves.

Each insult is a connection of its own. The node has to close it, or to answer; where bytes are
missing it may wait, and the stranger goes after a while.

Elsewhere: hostile callers in numbers, `tests/fuzz`.
"""

from random import Random
from typing import Final, final

from ottla.sim.caller.client import Client, Connect
from ottla.sim.clock import Events
from ottla.sim.history import History, Insult, Outcome
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import Ask, ClientPlan
from ottla.wire.api import API_VERSIONS, APIS, METADATA
from ottla.wire.client import ClientConnection
from ottla.wire.message.metadata import MetadataRequest

_PATIENCE_US: Final = 500_000

KINDS: Final[tuple[tuple[str, bool], ...]] = (
    ("noise", False),
    ("negative size", True),
    ("size of gigabytes", True),
    ("unknown call", True),
    ("unknown version", True),
    ("ApiVersions of the future", False),
    ("body of noise", False),
    ("body cut short", True),
    ("half a frame", False),
    ("frame of nothing", True),
    ("a request, then noise", False),
)
"""What it can do, and whether the only right answer is to close."""


@final
class Stranger(Client):
    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self._chance = events.chance(f"stranger/{plan.number}")
        self._op: Insult | None = None

    def ask(self, ask: Ask) -> None:
        if self._op is not None or self.connection is not None:
            return
        self.connection = self._connect(self)
        if self.connection is None:
            return
        kind, must_close = KINDS[ask.count % len(KINDS)]
        self._op = op = Insult(self.number, self.events.now_us, kind=kind, must_close=must_close)
        self.history.note(op)
        self.busy += 1
        self.connection.send(_bytes(kind, self._chance))
        self.events.after(_PATIENCE_US, self._tire, op)

    def answered(self, connection: Connection, data: bytes) -> None:
        if self._op is not None and connection is self.connection:
            self._op.answered_bytes += len(data)

    def lost(self, connection: Connection, reason: str) -> None:
        if connection is self.connection:
            self.connection = None
            self._end(Outcome.OK if reason not in ("reset", "closed") else Outcome.INFO)

    def _tire(self, op: Insult) -> None:
        connection = self.connection
        if op is not self._op or connection is None:
            return
        self.connection = None
        connection.close_by_client()
        self._end(Outcome.OK if op.answered_bytes else Outcome.INFO)

    def _end(self, outcome: Outcome) -> None:
        op, self._op = self._op, None
        if op is not None:
            self.busy -= 1
            op.end(self.events.now_us, outcome)


def _bytes(kind: str, chance: Random) -> bytes:
    request = _request(METADATA, 12)
    match kind:
        case "noise":
            return chance.randbytes(chance.choice((1, 3, 4, 20, 300)))
        case "negative size":
            return b"\xff\xff\xff" + bytes([chance.randrange(256)])
        case "size of gigabytes":
            return b"\x7f\xff\xff\xff" + request[4:]
        case "unknown call":
            return _framed(
                (chance.choice((-1, 999, 32_767))).to_bytes(2, "big", signed=True) + request[6:]
            )
        case "unknown version":
            api_key = chance.choice(sorted(APIS.keys() - {API_VERSIONS}))
            version = chance.choice((-1, 99))
            return _framed(
                api_key.to_bytes(2, "big") + version.to_bytes(2, "big", signed=True) + request[8:]
            )
        case "ApiVersions of the future":
            return _framed(
                API_VERSIONS.to_bytes(2, "big") + b"\x00\x63" + request[8:12] + b"\xff\xff\x00"
            )
        case "body of noise":
            api_key = chance.choice(sorted(APIS))
            version = APIS[api_key].max_version
            head = api_key.to_bytes(2, "big") + version.to_bytes(2, "big") + request[8:12]
            return _framed(head + b"\xff\xff\x00" + chance.randbytes(chance.choice((0, 5, 60))))
        case "body cut short":
            return _framed(request[4:-1])
        case "half a frame":
            return request[: chance.randrange(1, len(request))]
        case "frame of nothing":
            return bytes(4)
        case _:
            return request + chance.randbytes(40)


def _request(api_key: int, version: int) -> bytes:
    message = MetadataRequest(topics=None, allow_auto_topic_creation=False)
    chunks = ClientConnection("stranger").request(api_key, version, message)[1]
    return b"".join(bytes(chunk) for chunk in chunks if isinstance(chunk, (bytes, bytearray)))


def _framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame
