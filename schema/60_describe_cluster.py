"""DescribeCluster."""

from schema.language import api, array, boolean, int8, int16, int32, string

API = api(
    key=60,
    name="DescribeCluster",
    versions="0-2",
    advertised="0-2",
    flexible="0+",
    listeners="broker controller",
    request=[
        boolean("include_cluster_authorized_operations"),
        int8("endpoint_type", since=1, default=1),
        boolean("include_fenced_brokers", since=2),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        int8("endpoint_type", since=1, default=1),
        string("cluster_id"),
        int32("controller_id", default=-1),
        array(
            "brokers",
            "DescribeClusterBroker",
            [
                int32("broker_id", key=True),
                string("host"),
                int32("port"),
                string("rack", nullable=True, default=None),
                boolean("is_fenced", since=2),
            ],
        ),
        int32("cluster_authorized_operations", default=-2147483648),
    ],
)
