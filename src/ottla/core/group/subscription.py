"""Which topics a consumer subscribed to, as its metadata of the "consumer" protocol says.

The broker carries members' metadata without looking, with this one exception: offsets of topics that
nobody in a group reads any more may expire, and may be deleted (KIP-211, KIP-496). Only the first
field is read, which every version of the format begins with.
"""

import struct
from typing import Final

from ottla.errors import RemoteProtocolError
from ottla.wire.primitive import read_count, read_string

CONSUMER: Final = "consumer"
"""The protocol type of consumers; Connect's and others' are opaque."""

_VERSION_BYTES: Final = 2
_STRING_BYTES_MIN: Final = 2


def topics_untrusted(metadata: bytes) -> frozenset[str]:
    """The topics in one member's metadata. RemoteProtocolError: it holds something else."""
    view = memoryview(metadata)
    topics = []
    try:
        count, at = read_count(view, _VERSION_BYTES, _STRING_BYTES_MIN, "topics", False)
        for _ in range(count):
            topic, at = read_string(view, at, "topic")
            topics.append(topic)
    except (struct.error, IndexError) as error:
        raise RemoteProtocolError(f"a subscription of {len(view)} bytes: {error}") from None
    return frozenset(topics)
