"""DescribeClientQuotas."""

from schema.language import api, array, boolean, float64, int8, int16, int32, string

API = api(
    key=48,
    name="DescribeClientQuotas",
    versions="0-1",
    advertised="0-1",
    flexible="1+",
    listeners="broker",
    request=[
        array(
            "components",
            "ComponentData",
            [string("entity_type"), int8("match_type"), string("match", nullable=True)],
        ),
        boolean("strict"),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "entries",
            "EntryData",
            [
                array(
                    "entity",
                    "EntityData",
                    [string("entity_type"), string("entity_name", nullable=True)],
                ),
                array("values", "ValueData", [string("key"), float64("value")]),
            ],
            nullable=True,
        ),
    ],
)
