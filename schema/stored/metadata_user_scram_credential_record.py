"""UserScramCredentialRecord, kept in: metadata."""

from schema.language import int8, int32, octets, stored, string

RECORD = stored(
    area="metadata",
    type_id=11,
    name="UserScramCredentialRecord",
    versions="0",
    flexible="0+",
    fields=[
        string("name"),
        int8("mechanism"),
        octets("salt"),
        octets("stored_key"),
        octets("server_key"),
        int32("iterations"),
    ],
)
