"""DefaultPrincipalData, kept in: clients."""

from schema.language import boolean, stored, string

RECORD = stored(
    area="clients",
    name="DefaultPrincipalData",
    versions="0",
    flexible="0+",
    fields=[string("type"), string("name"), boolean("token_authenticated")],
)
