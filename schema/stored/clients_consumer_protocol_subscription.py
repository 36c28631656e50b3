"""ConsumerProtocolSubscription, kept in: clients."""

from schema.language import array, int32, octets, stored, string

RECORD = stored(
    area="clients",
    name="ConsumerProtocolSubscription",
    versions="0-3",
    flexible=None,
    fields=[
        array("topics", string),
        octets("user_data", nullable=True, default=None),
        array(
            "owned_partitions",
            "TopicPartition",
            [string("topic", key=True), array("partitions", int32)],
            since=1,
            ignorable=True,
        ),
        int32("generation_id", since=2, default=-1, ignorable=True),
        string("rack_id", since=3, nullable=True, default=None, ignorable=True),
    ],
)
