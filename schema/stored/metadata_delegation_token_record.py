"""DelegationTokenRecord, kept in: metadata."""

from schema.language import array, int64, stored, string

RECORD = stored(
    area="metadata",
    type_id=10,
    name="DelegationTokenRecord",
    versions="0",
    flexible="0+",
    fields=[
        string("owner"),
        string("requester"),
        array("renewers", string),
        int64("issue_timestamp"),
        int64("max_timestamp"),
        int64("expiration_timestamp"),
        string("token_id"),
    ],
)
