"""Foreign bytes: whatever they are, only RemoteProtocolError leaves, and nothing large is allocated."""

import tracemalloc
from collections.abc import Callable
from random import Random

import pytest

from ottla.errors import RemoteProtocolError
from ottla.wire.api import APIS, FETCH, HEARTBEAT, METADATA, PRODUCE, Api
from ottla.wire.header import decode_request_header_untrusted
from ottla.wire.message.metadata import MetadataRequest
from ottla.wire.stored.framing import (
    decode_key_untrusted,
    decode_metadata_untrusted,
    decode_value_untrusted,
)
from tests.unit.wire.building import bodies, classes, golden, stored_bodies

MESSAGES = [
    (name, version, bytes.fromhex(text)) for name, version, _, _, text in golden("messages")
]
RECORDS = list(golden("records"))


def decoder(name: str) -> Callable[[memoryview, int, int], object]:
    api: Api = APIS[bodies()[name][0].key]
    if name.endswith("Request"):
        return api.decode_request_untrusted
    return api.decode_response_untrusted


def mutated(data: bytes, random: Random) -> bytes:
    """One of the ways in which bytes go wrong."""
    out = bytearray(data)
    at = random.randrange(len(out) + 1)
    match random.randrange(7):
        case 0:
            del out[at:]
        case 1:
            out[at:at] = random.randbytes(random.choice((1, 2, 4, 9)))
        case 2:
            del out[at : at + random.choice((1, 2, 4))]
        case 3:
            out[at : at + 4] = random.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")
            )
        case 4:
            out[at : at + 1] = b"\xff\xff\xff\xff\x0f"
        case 5:
            for _ in range(3):
                if out:
                    out[random.randrange(len(out))] = random.randrange(256)
        case _:
            out += random.randbytes(3)
    return bytes(out)


def test_mutated_messages_raise_nothing_else() -> None:
    random = Random(0)
    refused = named = read = 0
    for name, version, data in MESSAGES:
        decode = decoder(name)
        for _ in range(6):
            try:
                decode(memoryview(mutated(data, random)), 0, version)
                read += 1
            except RemoteProtocolError as error:
                refused += 1
                named += name in str(error)
    assert refused > 3000
    assert named == refused
    assert read > 500


def test_every_message_cut_anywhere_is_refused() -> None:
    # A prefix of a message is never a message: one byte too few is noticed in each field.
    random = Random(1)
    for name, version, data in MESSAGES:
        for end in random.sample(range(len(data)), min(len(data), 4)):
            with pytest.raises(RemoteProtocolError):
                decoder(name)(memoryview(data)[:end], 0, version)


def test_mutated_stored_records_raise_nothing_else() -> None:
    random = Random(2)
    refused = 0
    for _, name, version, _, _, text, framed in RECORDS:
        owner, _ = stored_bodies()[name]
        for _ in range(10):
            broken = mutated(bytes.fromhex(text), random)
            framed_broken = mutated(bytes.fromhex(framed or text), random)
            for decode in (
                lambda d, n=name, o=owner, v=version: classes(o)[n].decode_untrusted(d, v),
                lambda d: decode_metadata_untrusted(d),
                lambda d: decode_key_untrusted("group", d),
                lambda d, o=owner: decode_value_untrusted("group", o.type_id or 0, d),
            ):
                for data in (broken, framed_broken):
                    try:
                        decode(data)
                    except RemoteProtocolError:
                        refused += 1
    assert refused > 3000


def test_mutated_headers_raise_nothing_else() -> None:
    random = Random(3)
    refused = 0
    for _, _, _, _, _, text in golden("frames"):
        for _ in range(200):
            try:
                decode_request_header_untrusted(
                    memoryview(mutated(bytes.fromhex(text)[4:], random))
                )
            except RemoteProtocolError:
                refused += 1
    assert refused > 100


HOSTILE = [
    (METADATA, 1, "7fffffff", "topics of 2,147,483,647 elements"),
    (METADATA, 12, "ffffffff0f", "topics of 4,294,967,294 elements"),
    (METADATA, 12, "ffffffffff01", "number of more than 5 bytes"),
    (METADATA, 12, "ffffffff7f", "number of more than 32 bits"),
    (METADATA, 1, "00000001" + "ffff", "name is null"),
    (METADATA, 1, "00000001" + "0002" + "ff41", "name at byte 6 is not UTF-8"),
    (METADATA, 1, "00000001" + "0005" + "4141", "name of 5 bytes at byte 6; 2 are there"),
    (METADATA, 12, "01" + "0000" + "02" + "0100" + "0100", "tag 1 after tag 1"),
    (METADATA, 12, "01" + "0000" + "02" + "0200" + "0100", "tag 1 after tag 2"),
    (METADATA, 12, "01" + "0000" + "01" + "0105", "tagged field 1 of 5 bytes"),
    (METADATA, 12, "01" + "0000" + "ffff7f", "2,097,151 tagged fields"),
    (METADATA, 12, "02" + "00" * 16 + "818002" + "41" * 32768, "name of 32,768 bytes"),
    (METADATA, 12, "02" + "00" * 16 + "03" + "ff41", "name at byte 18 is not UTF-8"),
    (METADATA, 12, "02" + "00" * 16 + "09" + "4141", "name of 8 bytes at byte 18; 2 are there"),
    (FETCH, 12, "", "goes on after byte 0"),
    (PRODUCE, 99, "", "Produce version 99; known are 0 to 13"),
    (PRODUCE, -1, "", "Produce version -1"),
]


@pytest.mark.parametrize(("key", "version", "text", "said"), HOSTILE)
def test_the_refusal_says_what_and_where(key: int, version: int, text: str, said: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        APIS[key].decode_request_untrusted(memoryview(bytes.fromhex(text)), 0, version)
    assert said in str(caught.value)


def test_bytes_behind_a_request_are_passed_over_and_behind_a_response_refused() -> None:
    # What librdkafka sends to ask Metadata 13 for all topics: a null array of four bytes, not one.
    message = APIS[METADATA].decode_request_untrusted(
        memoryview(bytes.fromhex("00" + "000000" + "010000")), 0, 13
    )
    assert isinstance(message, MetadataRequest)
    assert message.topics is None
    assert not message.allow_auto_topic_creation
    with pytest.raises(RemoteProtocolError, match="1 more follow"):
        APIS[HEARTBEAT].decode_response_untrusted(memoryview(bytes.fromhex("0000" + "00")), 0, 0)


def test_unknown_tags_are_skipped() -> None:
    plain = bytes.fromhex("00" + "0000" + "00")
    with_tags = bytes.fromhex("00" + "0000" + "02" + "05" + "03" + "aabbcc" + "80" + "01" + "00")
    api = APIS[METADATA]
    expected = api.decode_request_untrusted(memoryview(plain), 0, 12)
    assert api.decode_request_untrusted(memoryview(with_tags), 0, 12) == expected


def test_a_known_tag_must_fill_its_size() -> None:
    # Fetch 12 with a cluster id ("ab", 3 bytes) whose tagged field says 4 bytes.
    head = "ffffffff" + "00000000" * 3 + "00" + "00000000" + "ffffffff" + "01" + "01" + "01"
    good = bytes.fromhex(head + "01" + "00" + "03" + "036162")
    bad = bytes.fromhex(head + "01" + "00" + "04" + "036162" + "00")
    api = APIS[FETCH]
    assert api.decode_request_untrusted(memoryview(good), 0, 12).cluster_id == "ab"
    with pytest.raises(RemoteProtocolError, match="cluster_id ends at byte"):
        api.decode_request_untrusted(memoryview(bad), 0, 12)


def test_a_hostile_count_allocates_nothing() -> None:
    # 900,000 elements are announced, few bytes follow.
    data = memoryview(bytes.fromhex("000dbba0") + bytes(1000))
    APIS[METADATA].decode_request_untrusted(memoryview(bytes(4)), 0, 1)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            APIS[METADATA].decode_request_untrusted(data, 0, 1)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 * 1024
