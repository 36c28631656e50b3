"""Pictures of clusters for tests."""

from ottla.client.metadata import ClusterView, cluster_untrusted
from ottla.wire.message.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

TOPIC_ID = bytes(range(16))


def described(
    *leaders: int,
    name: str = "t",
    error_code: int = 0,
    epoch: int = 5,
    topic_id: bytes = TOPIC_ID,
) -> MetadataResponse:
    """A topic whose partition i is led by leaders[i]; brokers 1 and 2 exist."""
    return MetadataResponse(
        brokers=[MetadataResponseBroker(node, f"host{node}", 9092) for node in (1, 2)],
        cluster_id="c",
        controller_id=1,
        topics=[
            MetadataResponseTopic(
                error_code=error_code,
                name=name,
                topic_id=topic_id,
                partitions=[
                    MetadataResponsePartition(
                        partition_index=index,
                        leader_id=leader,
                        leader_epoch=epoch,
                        replica_nodes=[1, 2],
                        isr_nodes=[leader],
                    )
                    for index, leader in enumerate(leaders)
                ],
            )
        ],
    )


def cluster(
    *leaders: int, error_code: int = 0, epoch: int = 5, topic_id: bytes = TOPIC_ID
) -> ClusterView:
    return cluster_untrusted(
        described(*leaders, error_code=error_code, epoch=epoch, topic_id=topic_id)
    )
