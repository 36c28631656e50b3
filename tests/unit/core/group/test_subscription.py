"""The topics in a consumer's metadata, and only they."""

import pytest

from ottla.core.group.subscription import topics_untrusted
from ottla.errors import RemoteProtocolError
from ottla.wire.stored.consumer_protocol_subscription import ConsumerProtocolSubscription


@pytest.mark.parametrize("version", range(4))
def test_every_version_begins_with_the_topics(version: int) -> None:
    body = ConsumerProtocolSubscription(topics=["a", "b"]).encode(version)
    assert topics_untrusted(version.to_bytes(2, "big") + body) == {"a", "b"}


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\0",
        b"\0\0\0\0",
        b"\0\0\xff\xff\xff\xff",
        b"\0\0\x7f\0\0\0",
        b"\0\0\0\0\0\x01\0\x05ab",
    ],
)
def test_anything_else_is_refused(metadata: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        topics_untrusted(metadata)
