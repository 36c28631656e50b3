"""ConsumerProtocolAssignment, kept in: clients."""

from schema.language import array, int32, octets, stored, string

RECORD = stored(
    area="clients",
    name="ConsumerProtocolAssignment",
    versions="0-3",
    flexible=None,
    fields=[
        array(
            "assigned_partitions",
            "TopicPartition",
            [string("topic", key=True), array("partitions", int32)],
        ),
        octets("user_data", nullable=True, default=None),
    ],
)
