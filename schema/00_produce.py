"""Produce."""

from schema.language import api, array, int16, int32, int64, records, string, struct, uuid

API = api(
    key=0,
    name="Produce",
    versions="0-13",
    advertised="0-13",
    flexible="9+",
    listeners="broker",
    fast=True,
    request=[
        string("transactional_id", since=3, nullable=True, default=None),
        int16("acks"),
        int32("timeout_ms"),
        array(
            "topic_data",
            "TopicProduceData",
            [
                string("name", until=12, ignorable=True, key=True),
                uuid("topic_id", since=13, ignorable=True, key=True),
                array(
                    "partition_data",
                    "PartitionProduceData",
                    [int32("index"), records("records", nullable=True)],
                ),
            ],
        ),
    ],
    response=[
        array(
            "responses",
            "TopicProduceResponse",
            [
                string("name", until=12, ignorable=True, key=True),
                uuid("topic_id", since=13, ignorable=True, key=True),
                array(
                    "partition_responses",
                    "PartitionProduceResponse",
                    [
                        int32("index"),
                        int16("error_code"),
                        int64("base_offset"),
                        int64("log_append_time_ms", since=2, default=-1, ignorable=True),
                        int64("log_start_offset", since=5, default=-1, ignorable=True),
                        array(
                            "record_errors",
                            "BatchIndexAndErrorMessage",
                            [
                                int32("batch_index"),
                                string("batch_index_error_message", nullable=True, default=None),
                            ],
                            since=8,
                            ignorable=True,
                        ),
                        string(
                            "error_message", since=8, nullable=True, default=None, ignorable=True
                        ),
                        struct(
                            "current_leader",
                            "LeaderIdAndEpoch",
                            [int32("leader_id", default=-1), int32("leader_epoch", default=-1)],
                            since=10,
                            tag=0,
                        ),
                    ],
                ),
            ],
        ),
        int32("throttle_time_ms", since=1, ignorable=True),
        array(
            "node_endpoints",
            "NodeEndpoint",
            [
                int32("node_id", key=True),
                string("host"),
                int32("port"),
                string("rack", nullable=True, default=None),
            ],
            since=10,
            tag=0,
        ),
    ],
)
