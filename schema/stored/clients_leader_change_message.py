"""LeaderChangeMessage, kept in: clients."""

from schema.language import array, int16, int32, stored, uuid

RECORD = stored(
    area="clients",
    name="LeaderChangeMessage",
    versions="0-1",
    flexible="0+",
    fields=[
        int16("version"),
        int32("leader_id"),
        array("voters", "Voter", [int32("voter_id"), uuid("voter_directory_id", since=1)]),
        array("granting_voters", "Voter"),
    ],
)
