"""QuorumStateData, kept in: raft."""

from schema.language import array, int32, int64, stored, string, uuid

RECORD = stored(
    area="raft",
    name="QuorumStateData",
    versions="0-1",
    flexible="0+",
    fields=[
        string("cluster_id", until=0),
        int32("leader_id", default=-1),
        int32("leader_epoch", default=-1),
        int32("voted_id", default=-1),
        uuid("voted_directory_id", since=1),
        int64("applied_offset", until=0),
        array("current_voters", "Voter", [int32("voter_id")], until=0, nullable=True),
    ],
)
