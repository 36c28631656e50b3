"""ConsumerGroupRegularExpression, kept in: group."""

from schema.language import array, int64, stored, string

RECORD = stored(
    area="group",
    type_id=16,
    name="ConsumerGroupRegularExpression",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("regular_expression")],
    fields=[array("topics", string), int64("version"), int64("timestamp")],
)
