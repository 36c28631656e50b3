"""What the cluster has agreed on about one broker.

A broker is *alive* when it is registered, not fenced and not on its way out: only then may it lead,
and only then do clients hear of it.

Source: KIP-631. Elsewhere: who registers and who fences, see `controller/brokers.py`.
"""

from typing import Final, NamedTuple, final

from ottla.core.metadata.records import BrokerRegistrationChangeRecord, RegisterBrokerRecord
from ottla.types import Uuid

_FENCE: Final = 1
_UNFENCE: Final = -1
_IN_CONTROLLED_SHUTDOWN: Final = 1


@final
class Endpoint(NamedTuple):
    """Where clients of a listener reach the broker; `security_protocol` is Kafka's number."""

    listener: str
    host: str
    port: int
    security_protocol: int


@final
class BrokerImage(NamedTuple):
    broker_id: int
    epoch: int  # the offset of the record that registered it
    incarnation_id: Uuid
    endpoints: tuple[Endpoint, ...]
    features: tuple[tuple[str, int, int], ...]  # name, lowest level, highest level
    rack: str | None
    fenced: bool
    in_controlled_shutdown: bool
    log_dirs: tuple[Uuid, ...]
    cordoned_log_dirs: tuple[Uuid, ...] | None

    @property
    def is_active(self) -> bool:
        """May it lead and be given replicas?"""
        return not self.fenced and not self.in_controlled_shutdown

    def endpoint(self, listener: str) -> Endpoint | None:
        for endpoint in self.endpoints:
            if endpoint.listener == listener:
                return endpoint
        return None


def registered(record: RegisterBrokerRecord) -> BrokerImage:
    """The broker as it came; nothing of an earlier registration stays."""
    cordoned = record.cordoned_log_dirs
    return BrokerImage(
        broker_id=record.broker_id,
        epoch=record.broker_epoch,
        incarnation_id=record.incarnation_id,
        endpoints=tuple(
            Endpoint(
                listener=point.name,
                host=point.host,
                port=point.port,
                security_protocol=point.security_protocol,
            )
            for point in record.end_points
        ),
        features=tuple(
            (one.name, one.min_supported_version, one.max_supported_version)
            for one in record.features
        ),
        rack=record.rack,
        fenced=record.fenced,
        in_controlled_shutdown=record.in_controlled_shutdown,
        log_dirs=tuple(record.log_dirs),
        cordoned_log_dirs=None if cordoned is None else tuple(cordoned),
    )


def reregistered(old: BrokerImage, record: BrokerRegistrationChangeRecord) -> BrokerImage:
    """What the record leaves out stays. Out of its shutdown a broker comes only by registering."""
    fenced = old.fenced
    if record.fenced in (_FENCE, _UNFENCE):
        fenced = record.fenced == _FENCE
    leaving = record.in_controlled_shutdown == _IN_CONTROLLED_SHUTDOWN
    cordoned = record.cordoned_log_dirs
    return old._replace(
        fenced=fenced,
        in_controlled_shutdown=old.in_controlled_shutdown or leaving,
        log_dirs=tuple(record.log_dirs) or old.log_dirs,
        cordoned_log_dirs=old.cordoned_log_dirs if cordoned is None else tuple(cordoned),
    )
