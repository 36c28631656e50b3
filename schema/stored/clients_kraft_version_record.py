"""KRaftVersionRecord, kept in: clients."""

from schema.language import int16, stored

RECORD = stored(
    area="clients",
    name="KRaftVersionRecord",
    versions="0",
    flexible="0+",
    fields=[int16("version"), int16("kraft_version")],
)
