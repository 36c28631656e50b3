"""Requests as tokens: valid ones out of our own schema, and all the ways in which they go wrong.

A request is drawn field by field into tokens (a length, a count, a number, a text, a tag section...),
by an encoder of its own that shares no line with `ottla.wire`: what it draws without mutating it must
be readable there (`tests/unit/security/test_frames.py` asks it of every API and version). Because a
token knows what it is, a mutation can lie where lies hurt: a length one beyond what is there, a count
of two billion, a tag twice, an overlong varint.

Elsewhere: what is inside `records`, see `batches.py`; what a broker makes of it, see `target.py`.
"""

import struct
from collections.abc import Callable
from random import Random
from typing import Final

from schema.language import ApiSchema, Field

from tests.fuzz.batches import Batches

NUMBER, LENGTH16, LENGTH32, ULENGTH, COUNT32, UCOUNT, TEXT, BLOB, UUID, TAGS, MARK = range(11)
"""What a token is. `LENGTH` comes before text or bytes, `COUNT` before elements, `MARK` says whether a
struct follows."""

_LENGTHS: Final = (LENGTH16, LENGTH32, ULENGTH, COUNT32, UCOUNT)
_PACK: Final = {
    "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "float64": "d",
}  # fmt: skip
_BORDERS: Final = {
    "b": (-128, -1, 0, 1, 127),
    "h": (-(2**15), -1, 0, 1, 2**15 - 1),
    "H": (0, 1, 2**15, 2**16 - 1),
    "i": (-(2**31), -2, -1, 0, 1, 2**31 - 2, 2**31 - 1),
    "I": (0, 1, 2**31, 2**32 - 1),
    "q": (-(2**63), -(2**31) - 1, -2, -1, 0, 1, 2**31, 2**63 - 2, 2**63 - 1),
    "d": (0.0, -0.0, float("nan"), float("inf"), -1.5),
}
_OVERLONG: Final = (
    b"\x80\x00", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x7f", b"\xff" * 9 + b"\x01", b"\x80" * 10, b"\xff" * 20,
)  # fmt: skip
_BAD_TEXTS: Final = (
    b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"a\x00b", b"",
    b".", b"..", b"../../etc/passwd", b"a/b", b"%s%n${jndi:ldap://x}", "é".encode() * 60,
    b"x" * 249, b"x" * 250, b"x" * 32_767, b"x" * 32_768,
)  # fmt: skip

TOPICS: Final = ("evil-0", "evil-1", "evil-2", "evil-3")
_NUMBERS: Final[dict[str, tuple[int, ...]]] = {
    "acks": (-1, -1, 0, 1),
    "index": (0, 0, 1), "partition": (0, 0, 1), "partition_index": (0, 0, 1), "partitions": (0, 1),
    "partition_indexes": (0, 1),
    "timeout_ms": (0, 1, 30_000), "max_wait_ms": (0, 1, 500, 30_000), "min_bytes": (0, 1, 1, 100_000),
    "max_bytes": (1, 1_000, 2**31 - 1), "partition_max_bytes": (0, 1, 1_000, 2**31 - 1),
    "fetch_offset": (0, 0, 1, 2, 3, 10, 100), "offset": (0, 1, 2, -1, 100), "timestamp": (-1, -2, -3, -4, 0),
    "isolation_level": (0, 1), "session_id": (0, 0, 1), "session_epoch": (0, 0, -1, 1, 2),
    "replica_id": (-1, -1, -1, -2), "current_leader_epoch": (-1, -1, 0), "leader_epoch": (0, -1, 1),
    "last_fetched_epoch": (-1, 0), "num_partitions": (1, 1, 2, 3, -1), "count": (1, 2, 3, 4),
    "replication_factor": (1, 1, -1), "key_type": (0, 1), "resource_type": (2, 4),
    "broker_ids": (0, 1), "producer_id": (-1, 0, 1), "producer_epoch": (-1, 0, 1),
    "response_partition_limit": (1, 2, 2_000),
}  # fmt: skip
_CONFIGS: Final = (
    ("cleanup.policy", "compact"), ("cleanup.policy", "delete"), ("segment.bytes", "1048576"),
    ("segment.bytes", "1"), ("max.message.bytes", "-1"), ("retention.ms", "1"), ("nonsense", ""),
    ("message.timestamp.type", "LogAppendTime"), ("flush.messages", "1"),
    ("retention.bytes", "9" * 5_000), ("min.cleanable.dirty.ratio", "nan"), ("segment.ms", "1e9"),
    ("min.cleanable.dirty.ratio", "1e400"), ("max.message.bytes", "٣"), ("retention.ms", "1_0"),
    ("compression.type", "x" * 32_767), ("cleanup.policy", "," * 32_767), ("min.insync.replicas", "-0"),
    ("leader.replication.throttled.replicas", "0:0," * 8_000), ("preallocate", "true"),
)  # fmt: skip


class Token:
    """A stretch of a request, and what it means."""

    __slots__ = ("data", "kind")

    def __init__(self, kind: int, data: bytes) -> None:
        self.kind = kind
        self.data = data


Tokens = list[Token]


def uvarint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def joined(tokens: Tokens) -> bytes:
    return b"".join([token.data for token in tokens])


class Grammar:
    """Draws requests. `topic_ids` is what the broker under test calls its topics."""

    def __init__(self, random: Random, schemas: dict[int, ApiSchema], batches: Batches) -> None:
        self.random = random
        self.schemas = schemas
        self.topic_ids: list[bytes] = []
        self.session_ids: list[int] = [0]
        self._batches = batches
        self._structs: dict[int, dict[str, tuple[Field, ...]]] = {}

    def request(self, key: int, version: int) -> Tokens:
        """A valid request, from its API key on."""
        api, random = self.schemas[key], self.random
        flexible = version >= api.flexible_from
        out = [
            Token(NUMBER, struct.pack(">h", key)),
            Token(NUMBER, struct.pack(">h", version)),
            Token(NUMBER, struct.pack(">i", random.choice((0, 1, 2**31 - 1, -1)))),
        ]
        if (key, version) != (7, 0):  # ControlledShutdown 0 names no client
            client = random.choice((None, b"", b"fuzz", b"fuzz"))
            out.append(Token(LENGTH16, struct.pack(">h", -1 if client is None else len(client))))
            if client is not None:
                out.append(Token(TEXT, client))
            if flexible:
                out.append(Token(TAGS, b"\0"))
        if key not in self._structs:
            self._structs[key] = _structs(api.request.fields)
        self._fields(out, api, api.request.fields, version, flexible)
        return out

    def _fields(
        self, out: Tokens, api: ApiSchema, fields: tuple[Field, ...], version: int, flexible: bool
    ) -> None:
        tagged: list[tuple[int, bytes]] = []
        for f in fields:
            if not f.since <= version <= f.until:
                continue
            if f.tag is None or not flexible:
                if f.tag is None:
                    self._field(out, api, f, version, flexible and not f.classic)
            elif self.random.random() < 0.3:
                inside: Tokens = []
                self._field(inside, api, f, version, flexible)
                tagged.append((f.tag, joined(inside)))
        if flexible:
            section = uvarint(len(tagged))
            for tag, data in sorted(tagged):
                section += uvarint(tag) + uvarint(len(data)) + data
            out.append(Token(TAGS, section))

    def _field(self, out: Tokens, api: ApiSchema, f: Field, version: int, flexible: bool) -> None:
        random = self.random
        null = f.nullable_since <= version <= f.nullable_until and random.random() < 0.15
        if f.many:
            size = -1 if null else random.choice((0, 1, 1, 1, 2, 3))
            out.append(_count(size, flexible))
            for _ in range(size):
                self._one(out, api, f, version, flexible, False)
        else:
            self._one(out, api, f, version, flexible, null)

    def _one(
        self, out: Tokens, api: ApiSchema, f: Field, version: int, flexible: bool, null: bool
    ) -> None:
        random = self.random
        code = _PACK.get(f.type)
        if code is not None:
            out.append(Token(NUMBER, struct.pack(">" + code, self._number(f.name, code))))
        elif f.type == "bool":
            out.append(Token(NUMBER, random.choice((b"\0", b"\1"))))
        elif f.type == "uuid":
            out.append(Token(UUID, self._uuid()))
        elif f.type == "string":
            text = None if null else self._text(f.name)
            out.append(_length(-1 if text is None else len(text), flexible, wide=False))
            if text is not None:
                out.append(Token(TEXT, text))
        elif f.type in ("bytes", "records"):
            if null:
                out.append(_length(-1, flexible, wide=True))
                return
            data = self._batches.drawn() if f.type == "records" else random.randbytes(4)
            out.append(_length(len(data), flexible, wide=True))
            out.append(Token(BLOB, data))
        else:
            if f.nullable_since <= version <= f.nullable_until and not f.many:
                out.append(Token(MARK, b"\xff" if null else b"\x01"))
                if null:
                    return
            self._fields(out, api, self._structs[api.key][f.type], version, flexible)

    def _number(self, name: str, code: str) -> int | float:
        random = self.random
        known = _NUMBERS.get(name)
        if known is None or random.random() < 0.1:
            return random.choice(_BORDERS[code])
        number = random.choice(known)
        if name == "session_id" and random.random() < 0.7:
            number = random.choice(self.session_ids)
        low, high = _BORDERS[code][0], _BORDERS[code][-1]
        return number if low <= number <= high else 0

    def _uuid(self) -> bytes:
        if self.topic_ids and self.random.random() < 0.8:
            return self.random.choice(self.topic_ids)
        return self.random.choice((bytes(16), b"\xff" * 16, bytes(15) + b"\x01"))

    def _text(self, name: str) -> bytes:
        random = self.random
        chance = random.random()
        if "topic" in name or name in ("name", "resource_name"):
            if chance < 0.85:
                return random.choice(TOPICS).encode()
            if chance < 0.88:
                return b"__consumer_offsets"
        if name in ("value", "config_names") and chance < 0.8:
            return random.choice(_CONFIGS)[name == "value"].encode()
        if chance < 0.9:
            return random.choice((b"", b"a", b"evil-new", b"0", "ключ".encode(), b"transaction"))
        bad = random.choice(_BAD_TEXTS)
        return bad if len(bad) <= 32_767 and _is_utf8(bad) else b"x"


def _structs(fields: tuple[Field, ...]) -> dict[str, tuple[Field, ...]]:
    """The fields of each struct by its name: a second use of a name repeats none."""
    found: dict[str, tuple[Field, ...]] = {}
    for f in fields:
        if f.fields is not None:
            found[f.type] = f.fields
            found |= _structs(f.fields)
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _length(size: int, flexible: bool, *, wide: bool) -> Token:
    if flexible:
        return Token(ULENGTH, uvarint(size + 1))
    if wide:
        return Token(LENGTH32, struct.pack(">i", size))
    return Token(LENGTH16, struct.pack(">h", size))


def _count(size: int, flexible: bool) -> Token:
    return Token(UCOUNT, uvarint(size + 1)) if flexible else Token(COUNT32, struct.pack(">i", size))


# Mutations: each changes a list of tokens in place.


def _lie_about_a_length(tokens: Tokens, at: int, random: Random) -> None:
    token = tokens[at]
    left = sum(len(one.data) for one in tokens[at + 1 :])
    if token.kind in (ULENGTH, UCOUNT):
        if random.random() < 0.4:
            token.data = random.choice(_OVERLONG)
        else:
            wrong = random.choice((0, 1, 2, left, left + 1, left + 2, 1_000_001, 2**28, 2**32 - 1))
            token.data = uvarint(wrong)
    elif token.kind == LENGTH16:
        wrong = random.choice((-(2**15), -2, -1, 0, 1, left, left + 1, 2**15 - 1))
        token.data = struct.pack(">h", min(wrong, 2**15 - 1))
    else:
        wrong = random.choice((-(2**31), -2, -1, 0, 1, left, left + 1, 1_000_001, 2**31 - 1))
        token.data = struct.pack(">i", wrong)


def _push_a_number_to_its_border(tokens: Tokens, at: int, random: Random) -> None:
    size = len(tokens[at].data)
    code = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
    tokens[at].data = struct.pack(">" + code, random.choice(_BORDERS[code]))


def _say_a_bad_text(tokens: Tokens, at: int, random: Random) -> None:
    tokens[at].data = text = random.choice(_BAD_TEXTS)
    before = tokens[at - 1]
    if before.kind == ULENGTH:
        before.data = uvarint(len(text) + 1)
    elif before.kind == LENGTH16:
        before.data = struct.pack(">h", min(len(text), 2**15 - 1))


def _null_for_a_value(tokens: Tokens, at: int, random: Random) -> None:
    token = tokens[at]
    empty = random.random() < 0.5
    if token.kind in (ULENGTH, UCOUNT):
        token.data = b"\x01" if empty else b"\0"
    else:
        size = 2 if token.kind == LENGTH16 else 4
        token.data = bytes(size) if empty else b"\xff" * size
    if at + 1 < len(tokens) and tokens[at + 1].kind in (TEXT, BLOB):
        del tokens[at + 1]


_TAG_SECTIONS: Final = (
    b"\x02\x00\x00\x00\x00", b"\x02\x05\x00\x05\x00", b"\x02\x06\x00\x05\x00", b"\x01\x7f\x03abc",
    b"\x01\x00\x00", b"\x01\x00\x01\x00", b"\x01\x01\x7f", b"\x01\xff\xff\xff\xff\x0f\x00",
    b"\xff\xff\xff\xff\x0f", b"\xff\xff\x7f", b"\x90\x4e" + b"\x00\x00" * 10_000, b"\x80\x80\x00",
    b"\x01\x00\xff\xff\xff\xff\x07", uvarint(2_000) + b"".join(uvarint(n) + b"\0" for n in range(2_000)),
)  # fmt: skip


def _spoil_tags(tokens: Tokens, at: int, random: Random) -> None:
    tokens[at].data = random.choice(_TAG_SECTIONS)


def _drop(tokens: Tokens, at: int, random: Random) -> None:
    del tokens[at : at + random.choice((1, 1, 2, 5))]


def _repeat(tokens: Tokens, at: int, random: Random) -> None:
    part = tokens[at : at + random.choice((1, 2, 5, 20))]
    tokens[at:at] = part * random.choice((1, 1, 2, 50))


def _swap(tokens: Tokens, at: int, random: Random) -> None:
    other = random.randrange(len(tokens))
    tokens[at], tokens[other] = tokens[other], tokens[at]


def _spoil_bytes(tokens: Tokens, at: int, random: Random) -> None:
    """What knows nothing of tokens: cut, insert, flip."""
    data = bytearray(joined(tokens))
    place = random.randrange(len(data) + 1)
    match random.randrange(5):
        case 0:
            del data[place:]
        case 1:
            data[place:place] = random.randbytes(random.choice((1, 2, 4, 9, 100)))
        case 2:
            del data[place : place + random.choice((1, 2, 4))]
        case 3:
            for _ in range(3):
                if data:
                    data[random.randrange(len(data))] = random.randrange(256)
        case _:
            data += random.randbytes(random.choice((1, 4, 1_000)))
    tokens[:] = [Token(BLOB, bytes(data))]


Mutation = Callable[[Tokens, int, Random], None]
MUTATIONS: Final[tuple[tuple[Mutation, tuple[int, ...]], ...]] = (
    (_lie_about_a_length, _LENGTHS),
    (_lie_about_a_length, _LENGTHS),
    (_push_a_number_to_its_border, (NUMBER, MARK)),
    (_push_a_number_to_its_border, (NUMBER, MARK)),
    (_say_a_bad_text, (TEXT,)),
    (_null_for_a_value, _LENGTHS),
    (_spoil_tags, (TAGS,)),
    (_drop, ()),
    (_repeat, ()),
    (_swap, ()),
    (_spoil_bytes, ()),
)


_HEADER_TOKENS: Final = 4


def mutate(tokens: Tokens, random: Random) -> Tokens:
    """A copy with one to three mutations; the header is mostly left alone, else nothing gets far."""
    spoiled = [Token(token.kind, token.data) for token in tokens]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        how, kinds = random.choice(MUTATIONS)
        first = 0 if random.random() < 0.08 else min(_HEADER_TOKENS, len(spoiled) - 1)
        places = [at for at in range(first, len(spoiled)) if not kinds or spoiled[at].kind in kinds]
        if kinds == (TEXT,):
            places = [at for at in places if at > 0]
        if places:
            how(spoiled, random.choice(places), random)
        if not spoiled:
            break
    return spoiled


def framed(data: bytes, random: Random) -> bytes:
    """`data` behind its size, which in a few frames is a lie."""
    size = len(data)
    if random.random() < 0.03:
        size = random.choice(
            (-(2**31), -1, 0, 7, 8, size - 1, size + 1, 2**31 - 1, 100 * 1024**2 + 1)
        )
    return struct.pack(">i", size) + data
