"""DescribeCluster: the brokers, for administrators.

Source: KIP-700, KIP-919 (controllers can be asked too, but not here), KIP-1073 (fenced brokers).
"""

from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.core.metadata.reach import CLUSTER_OPERATIONS, NOT_ASKED, Reach
from ottla.errors import ErrorCode
from ottla.wire.message.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 60
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = ()

_BROKERS: Final = 1
_CONTROLLERS: Final = 2


@final
class HandleDescribeCluster:
    __slots__ = ("cluster_id", "current", "reach")

    def __init__(self, *, current: Current, cluster_id: str, reach: Reach) -> None:
        self.current = current
        self.cluster_id = cluster_id
        self.reach = reach

    def __call__(self, now_ms: int, call: Call, request: DescribeClusterRequest) -> list[Effect]:
        if request.endpoint_type != _BROKERS:
            return [Reply(call, _wrong_kind(request.endpoint_type))]
        image = self.current.image
        nodes = self.reach.nodes(image, call.origin, fenced_too=request.include_fenced_brokers)
        alive = [node.broker_id for node in nodes if not node.fenced]
        operations = NOT_ASKED
        if request.include_cluster_authorized_operations:
            operations = CLUSTER_OPERATIONS
        response = DescribeClusterResponse(
            error_message=None,
            endpoint_type=_BROKERS,
            cluster_id=self.cluster_id,
            controller_id=alive[0] if alive else -1,
            brokers=[
                DescribeClusterBroker(node.broker_id, node.host, node.port, node.rack)
                for node in nodes
            ],
            cluster_authorized_operations=operations,
        )
        if request.include_fenced_brokers:
            for broker, node in zip(response.brokers, nodes, strict=True):
                broker.is_fenced = node.fenced
        return [Reply(call, response)]


def _wrong_kind(endpoint_type: int) -> DescribeClusterResponse:
    if endpoint_type == _CONTROLLERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            error_message="controllers are asked for, and this is a broker's listener",
        )
    return DescribeClusterResponse(
        error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        error_message=f"endpoint type {endpoint_type}; known are 1 (brokers) and 2 (controllers)",
    )
