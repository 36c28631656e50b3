"""AlterClientQuotas."""

from schema.language import api, array, boolean, float64, int16, int32, string

API = api(
    key=49,
    name="AlterClientQuotas",
    versions="0-1",
    advertised="0-1",
    flexible="1+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "entries",
            "AlterClientQuotasRequestEntryData",
            [
                array(
                    "entity",
                    "EntityData",
                    [string("entity_type"), string("entity_name", nullable=True)],
                ),
                array("ops", "OpData", [string("key"), float64("value"), boolean("remove")]),
            ],
        ),
        boolean("validate_only"),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "entries",
            "AlterClientQuotasResponseEntryData",
            [
                int16("error_code"),
                string("error_message", nullable=True),
                array("entity", "EntityData"),
            ],
        ),
    ],
)
