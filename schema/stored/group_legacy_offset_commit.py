"""LegacyOffsetCommit, kept in: group."""

from schema.language import int32, int64, stored, string

RECORD = stored(
    area="group",
    type_id=0,
    name="LegacyOffsetCommit",
    versions="0",
    flexible=None,
    key=[string("group"), string("topic"), int32("partition")],
    fields=[int64("offset"), string("metadata"), int64("commit_timestamp")],
)
