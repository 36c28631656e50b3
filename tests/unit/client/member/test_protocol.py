"""What members tell each other: Kafka's bytes, old and new."""

import struct

import pytest

from ottla.client.consume.options import COOPERATIVE_STICKY, RANGE, STICKY
from ottla.client.member.protocol import (
    assigned_untrusted,
    assignment,
    member_untrusted,
    subscription,
)
from ottla.errors import RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.join_group import JoinGroupResponseMember

T0, T1, U0 = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)


def joined(metadata: bytes, instance: str | None = None) -> JoinGroupResponseMember:
    return JoinGroupResponseMember("m-1", instance, metadata)


def told(assignor: str, *, owned: tuple[TopicPartition, ...] = (), generation: int = 3) -> bytes:
    return subscription(
        assignor, ["u", "t"], owned=owned, previous=(T1, U0), generation=generation, rack="r"
    )


def test_a_subscription_is_written_as_version_3() -> None:
    data = told(RANGE, owned=(T1, T0))
    assert data == bytes.fromhex(
        "0003"
        "00000002 0001 74 0001 75"  # topics t, u
        "ffffffff"  # no user data
        "00000001 0001 74 00000002 00000000 00000001"  # owned: t 0, 1
        "00000003"  # generation
        "0001 72"  # rack
    )


def test_what_was_written_is_read() -> None:
    member = member_untrusted(RANGE, joined(told(RANGE, owned=(T0,)), "static"))
    assert (member.member_id, member.instance_id, member.topics) == ("m-1", "static", ("t", "u"))
    assert (member.owned, member.generation) == ((T0,), 3)


def test_sticky_members_carry_their_last_assignment() -> None:
    member = member_untrusted(STICKY, joined(told(STICKY)))
    assert (member.owned, member.generation) == ((T1, U0), 3)


def version_0(user_data: bytes | None) -> bytes:
    data = struct.pack(">hih1s", 0, 1, 1, b"t")
    if user_data is None:
        return data + struct.pack(">i", -1)
    return data + struct.pack(">i", len(user_data)) + user_data


@pytest.mark.parametrize(
    ("user_data", "owned", "generation"),
    [
        (None, (), -1),
        (struct.pack(">ih1siii", 1, 1, b"t", 2, 0, 1), (T0, T1), -1),
        (struct.pack(">ih1siii", 1, 1, b"t", 1, 1, 9), (T1,), 9),
        (b"\0\0\0\7rubbish", (), -1),
    ],
)
def test_old_sticky_members_are_understood(
    user_data: bytes | None, owned: tuple[TopicPartition, ...], generation: int
) -> None:
    member = member_untrusted(STICKY, joined(version_0(user_data)))
    assert (member.owned, member.generation) == (owned, generation)


def test_the_generation_of_a_cooperative_member_may_stand_in_its_user_data() -> None:
    data = struct.pack(">hih1si", 1, 1, 1, b"t", 4) + struct.pack(">i", 8)
    data += struct.pack(">ih1sii", 1, 1, b"t", 1, 0)
    member = member_untrusted(COOPERATIVE_STICKY, joined(data))
    assert (member.owned, member.generation) == ((T0,), 8)
    assert member_untrusted(COOPERATIVE_STICKY, joined(told(COOPERATIVE_STICKY))).generation == 3


def test_assignments_are_written_and_read() -> None:
    data = assignment([U0, T1, T0])
    assert data[:2] == b"\0\3"
    assert assigned_untrusted(data) == (T0, T1, U0)
    assert assigned_untrusted(b"") == ()
    assert assigned_untrusted(b"\0\0" + data[2:]) == (T0, T1, U0)


@pytest.mark.parametrize("data", [b"\0", b"\xff\xff\0\0", b"\0\3\0\0\0\7", b"\0\0\xff"])
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        assigned_untrusted(data)
    with pytest.raises(RemoteProtocolError):
        member_untrusted(RANGE, joined(data))
