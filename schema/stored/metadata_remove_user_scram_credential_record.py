"""RemoveUserScramCredentialRecord, kept in: metadata."""

from schema.language import int8, stored, string

RECORD = stored(
    area="metadata",
    type_id=22,
    name="RemoveUserScramCredentialRecord",
    versions="0",
    flexible="0+",
    fields=[string("name"), int8("mechanism")],
)
