"""VotersRecord, kept in: clients."""

from schema.language import array, int16, int32, stored, string, struct, uint16, uuid

RECORD = stored(
    area="clients",
    name="VotersRecord",
    versions="0",
    flexible="0+",
    fields=[
        int16("version"),
        array(
            "voters",
            "Voter",
            [
                int32("voter_id"),
                uuid("voter_directory_id"),
                array(
                    "endpoints",
                    "Endpoint",
                    [string("name", key=True), string("host"), uint16("port")],
                ),
                struct(
                    "kraft_version_feature",
                    "KRaftVersionFeature",
                    [int16("min_supported_version"), int16("max_supported_version")],
                ),
            ],
        ),
    ],
)
