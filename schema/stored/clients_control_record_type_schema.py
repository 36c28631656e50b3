"""ControlRecordTypeSchema, kept in: clients."""

from schema.language import int16, stored

RECORD = stored(
    area="clients",
    name="ControlRecordTypeSchema",
    versions="0",
    flexible=None,
    fields=[int16("type")],
)
