"""OffsetCommit, kept in: group."""

from schema.language import int32, int64, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=1,
    name="OffsetCommit",
    versions="0-4",
    flexible="4+",
    key=[string("group"), string("topic"), int32("partition")],
    fields=[
        int64("offset"),
        int32("leader_epoch", since=3, default=-1, ignorable=True),
        string("metadata"),
        int64("commit_timestamp"),
        int64("expire_timestamp", since=1, until=1, default=-1, ignorable=True),
        uuid("topic_id", since=4, tag=0, ignorable=True),
    ],
)
