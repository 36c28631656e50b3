"""kafka-python's public API, method by method: how each is called here, and the page that says so.

    python -m tests.unit.kafka.parity      write docs/reference/kafka-python-parity.md

What there is to call stands in `kafka_python_api.json`, as kafka-python 2.3 and 3.0 tell of themselves.
"""

import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ottla import Broker
from ottla.kafka import errors
from ottla.kafka.admin import (
    ACL,
    AbortTransactionSpec,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    KafkaAdminClient,
    MemberToRemove,
    NewTopic,
    OffsetSpec,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from ottla.kafka.config import KNOWN, For
from ottla.kafka.consumer import KafkaConsumer
from ottla.kafka.producer import KafkaProducer
from ottla.kafka.structs import (
    ConsumerGroupMetadata,
    OffsetAndMetadata,
    TopicPartition,
    TopicPartitionReplica,
)
from ottla.wire.message.metadata import MetadataRequest
from tests.unit.kafka.conftest import SETTINGS

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = ROOT / "docs" / "reference" / "kafka-python-parity.md"
API: Final = json.loads((Path(__file__).parent / "kafka_python_api.json").read_text())
OLD, NEW = sorted(API)
TOPIC: Final = "parity"
GROUP: Final = "parity-group"
PLACE: Final = TopicPartition(TOPIC, 0)
WAIT_MS: Final = 10_000

WORKS: Final = "works"
NO_TRANSACTIONS: Final = "not yet: there are no transactions"
WHERE_IT_CAN: Final = "works where the broker can"

RULE: Final = ACL(
    "User:u",
    "*",
    ACLOperation.READ,
    ACLPermissionType.ALLOW,
    ResourcePattern(ResourceType.TOPIC, TOPIC),
)
RULES: Final = ACLFilter(None, None, 1, 1, ResourcePattern(ResourceType.TOPIC, TOPIC))


class World:
    """One of each, on one broker, with a topic of a few records."""

    def __init__(self, bootstrap: str) -> None:
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self.admin.create_topics([NewTopic(TOPIC, 1, 1)])
        self.producer = KafkaProducer(bootstrap_servers=bootstrap)
        for number in range(5):
            self.producer.send(TOPIC, b"%d" % number)
        self.producer.flush()
        self.consumer = KafkaConsumer(
            TOPIC, bootstrap_servers=bootstrap, group_id=GROUP, auto_offset_reset="earliest"
        )
        self.bootstrap = bootstrap

    def close(self) -> None:
        self.consumer.close()
        self.producer.close()
        self.admin.close()


class Call(NamedTuple):
    """`refusal`: what it raises; then `status` says why. `answered`: any answer of the broker's will do."""

    run: Callable[[World], object]
    refusal: type[Exception] | None = None
    status: str = WORKS
    answered: bool = False


def _not_yet(run: Callable[[World], object]) -> Call:
    return Call(run, errors.IllegalStateError, NO_TRANSACTIONS)


def _lacking(run: Callable[[World], object]) -> Call:
    """What this broker does not have, or has not yet."""
    return Call(run, errors.BrokerResponseError, WHERE_IT_CAN, answered=True)


def _entered(make: Callable[[World], KafkaProducer | KafkaConsumer | KafkaAdminClient]) -> Call:
    def run(world: World) -> None:
        with make(world):
            pass

    return Call(run)


def _closed(make: Callable[[World], KafkaProducer | KafkaConsumer | KafkaAdminClient]) -> Call:
    return Call(lambda world: make(world).close())


def _spare_consumer(world: World) -> KafkaConsumer:
    return KafkaConsumer(
        TOPIC,
        bootstrap_servers=world.bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=WAIT_MS,
    )


def _first(world: World) -> object:
    with _spare_consumer(world) as consumer:
        return next(iter(consumer)).value


def _assigned(world: World) -> object:
    with KafkaConsumer(bootstrap_servers=world.bootstrap) as consumer:
        consumer.assign([PLACE])
        return consumer.assignment()


def _with_consumer(call: Callable[[KafkaConsumer], object]) -> Call:
    def run(world: World) -> object:
        with KafkaConsumer(bootstrap_servers=world.bootstrap) as consumer:
            return call(consumer)

    return Call(run)


def _polled(world: World) -> object:
    return world.consumer.poll(WAIT_MS) if not world.consumer.assignment() else None


def _joined(call: Callable[[KafkaConsumer], object]) -> Call:
    """On the consumer of the group, once it has its partition."""

    def run(world: World) -> object:
        _polled(world)
        return call(world.consumer)

    return Call(run)


def _made(world: World, name: str) -> str:
    world.admin.create_topics([name])
    return name


def _spare_producer(world: World) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=world.bootstrap)


def _spare_admin(world: World) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=world.bootstrap)


PRODUCER: Final[Mapping[str, Call]] = {
    "__enter__": _entered(_spare_producer),
    "__exit__": _entered(_spare_producer),
    "abort_transaction": _not_yet(lambda w: w.producer.abort_transaction()),
    "begin_transaction": _not_yet(lambda w: w.producer.begin_transaction()),
    "bootstrap_connected": Call(lambda w: w.producer.bootstrap_connected()),
    "close": _closed(_spare_producer),
    "commit_transaction": _not_yet(lambda w: w.producer.commit_transaction()),
    "flush": Call(lambda w: w.producer.flush(10)),
    "init_transactions": _not_yet(lambda w: w.producer.init_transactions()),
    "max_usable_produce_magic": Call(lambda w: w.producer.max_usable_produce_magic((2, 5))),
    "metrics": Call(lambda w: w.producer.metrics(), None, f"{WORKS}; fewer numbers, same groups"),
    "partitions_for": Call(lambda w: w.producer.partitions_for(TOPIC)),
    "send": Call(lambda w: w.producer.send(TOPIC, b"v").get(10)),
    "send_offsets_to_transaction": _not_yet(
        lambda w: w.producer.send_offsets_to_transaction({}, ConsumerGroupMetadata("g"))
    ),
}

CONSUMER: Final[Mapping[str, Call]] = {
    "__enter__": _entered(_spare_consumer),
    "__exit__": _entered(_spare_consumer),
    "__iter__": Call(_first),
    "__next__": Call(_first),
    "assign": Call(_assigned),
    "assignment": Call(_assigned),
    "beginning_offsets": _joined(lambda c: c.beginning_offsets([PLACE])),
    "bootstrap": _joined(lambda c: c.bootstrap()),
    "bootstrap_connected": _joined(lambda c: c.bootstrap_connected()),
    "close": _closed(_spare_consumer),
    "commit": _joined(lambda c: c.commit({PLACE: OffsetAndMetadata(1, "", -1)})),
    "commit_async": _joined(lambda c: c.commit_async({PLACE: OffsetAndMetadata(1, "", -1)})),
    "committed": _joined(lambda c: c.committed(PLACE)),
    "end_offsets": _joined(lambda c: c.end_offsets([PLACE])),
    "group_metadata": _joined(lambda c: c.group_metadata()),
    "highwater": _joined(lambda c: c.highwater(PLACE)),
    "metrics": Call(lambda w: w.consumer.metrics(), None, f"{WORKS}; fewer numbers, same groups"),
    "offsets_for_times": _joined(lambda c: c.offsets_for_times({PLACE: 0})),
    "partitions_for_topic": _joined(lambda c: c.partitions_for_topic(TOPIC)),
    "pause": _joined(lambda c: c.pause(PLACE)),
    "paused": _joined(lambda c: c.paused()),
    "poll": Call(lambda w: w.consumer.poll(WAIT_MS)),
    "position": _joined(lambda c: c.position(PLACE)),
    "resume": _joined(lambda c: c.resume(PLACE)),
    "seek": _joined(lambda c: c.seek(PLACE, 0)),
    "seek_to_beginning": _joined(lambda c: c.seek_to_beginning(PLACE)),
    "seek_to_end": _joined(lambda c: c.seek_to_end(PLACE)),
    "subscribe": _with_consumer(lambda c: c.subscribe([TOPIC])),
    "subscription": _joined(lambda c: c.subscription()),
    "topics": _joined(lambda c: c.topics()),
    "unsubscribe": _with_consumer(lambda c: c.unsubscribe()),
}

_RESOURCE: Final = ConfigResource("topic", TOPIC)
_SET: Final = ConfigResource("topic", TOPIC, {"retention.ms": "100000000"})

ADMIN: Final[Mapping[str, Call]] = {
    "__enter__": _entered(_spare_admin),
    "__exit__": _entered(_spare_admin),
    "abort_transaction": _lacking(
        lambda w: w.admin.abort_transaction(AbortTransactionSpec(PLACE, 1, 0, 0))
    ),
    "alter_configs": Call(lambda w: w.admin.alter_configs([_SET])),
    "alter_group_offsets": Call(
        lambda w: w.admin.alter_group_offsets("idle", {PLACE: OffsetAndMetadata(1, "", -1)})
    ),
    "alter_partition_reassignments": Call(
        lambda w: w.admin.alter_partition_reassignments({PLACE: [1]})
    ),
    "alter_replica_log_dirs": Call(
        lambda w: w.admin.alter_replica_log_dirs({TopicPartitionReplica(TOPIC, 0, 1): "/none"})
    ),
    "alter_user_scram_credentials": _lacking(
        lambda w: w.admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion("u", ScramMechanism.SCRAM_SHA_256, "p")]
        )
    ),
    "api_versions": Call(lambda w: w.admin.api_versions()),
    "close": _closed(_spare_admin),
    "create_acls": _lacking(lambda w: w.admin.create_acls([RULE])),
    "create_partitions": Call(lambda w: w.admin.create_partitions({_made(w, "grown"): 2})),
    "create_topics": Call(lambda w: w.admin.create_topics([NewTopic("made", 1, 1)])),
    "delete_acls": _lacking(lambda w: w.admin.delete_acls([RULES])),
    "delete_consumer_groups": Call(lambda w: w.admin.delete_consumer_groups(["none"])),
    "delete_group_offsets": Call(
        lambda w: (
            w.admin.alter_group_offsets("idle", {PLACE: OffsetAndMetadata(1, "", -1)}),
            w.admin.delete_group_offsets("idle", [PLACE]),
        )
    ),
    "delete_groups": Call(lambda w: w.admin.delete_groups(["none"])),
    "delete_records": Call(lambda w: w.admin.delete_records({PLACE: 0})),
    "delete_topics": Call(lambda w: w.admin.delete_topics([_made(w, "doomed")])),
    "describe_acls": _lacking(lambda w: w.admin.describe_acls(RULES)),
    "describe_cluster": Call(lambda w: w.admin.describe_cluster()),
    "describe_configs": Call(
        lambda w: w.admin.describe_configs([_RESOURCE]), None, f"{WORKS}; answers in 3.x's form"
    ),
    "describe_consumer_groups": Call(lambda w: w.admin.describe_consumer_groups([GROUP])),
    "describe_features": Call(lambda w: w.admin.describe_features()),
    "describe_groups": Call(lambda w: w.admin.describe_groups([GROUP])),
    "describe_log_dirs": Call(
        lambda w: w.admin.describe_log_dirs(), None, f"{WORKS}; answers in 3.x's form"
    ),
    "describe_metadata_quorum": Call(lambda w: w.admin.describe_metadata_quorum()),
    "describe_producers": Call(lambda w: w.admin.describe_producers([PLACE])),
    "describe_topic_partitions": Call(lambda w: w.admin.describe_topic_partitions([TOPIC])),
    "describe_topics": Call(lambda w: w.admin.describe_topics([TOPIC])),
    "describe_transactions": _lacking(lambda w: w.admin.describe_transactions(["t"])),
    "describe_user_scram_credentials": Call(lambda w: w.admin.describe_user_scram_credentials()),
    "elect_leaders": Call(lambda w: w.admin.elect_leaders("preferred", [PLACE])),
    "find_hanging_transactions": _lacking(lambda w: w.admin.find_hanging_transactions()),
    "get_broker_version_data": Call(lambda w: w.admin.get_broker_version_data(1)),
    "list_config_resources": Call(lambda w: w.admin.list_config_resources()),
    "list_consumer_group_offsets": Call(lambda w: w.admin.list_consumer_group_offsets(GROUP)),
    "list_consumer_groups": Call(lambda w: w.admin.list_consumer_groups()),
    "list_group_offsets": Call(lambda w: w.admin.list_group_offsets(GROUP)),
    "list_groups": Call(lambda w: w.admin.list_groups()),
    "list_partition_offsets": Call(
        lambda w: w.admin.list_partition_offsets({PLACE: OffsetSpec.LATEST})
    ),
    "list_partition_reassignments": Call(lambda w: w.admin.list_partition_reassignments()),
    "list_topics": Call(lambda w: w.admin.list_topics()),
    "list_transactions": _lacking(lambda w: w.admin.list_transactions()),
    "perform_leader_election": Call(lambda w: w.admin.perform_leader_election(0, [PLACE])),
    "remove_group_members": Call(
        lambda w: w.admin.remove_group_members(GROUP, [MemberToRemove("nobody")])
    ),
    "reset_configs": Call(
        lambda w: w.admin.reset_configs([ConfigResource("topic", TOPIC, ["retention.ms"])])
    ),
    "reset_group_offsets": Call(
        lambda w: w.admin.reset_group_offsets("idle", {PLACE: OffsetSpec.EARLIEST})
    ),
    "send_request": Call(
        lambda w: w.admin.send_request(MetadataRequest()),
        None,
        f"{WORKS}; with messages of ottla.wire",
    ),
    "send_requests": Call(
        lambda w: w.admin.send_requests([(MetadataRequest(), None)]),
        None,
        f"{WORKS}; with messages of ottla.wire",
    ),
    "update_features": Call(
        lambda w: w.admin.update_features({"metadata.version": ("upgrade", 9_999)}),
        errors.InvalidUpdateVersionError,
        WORKS,
    ),
    "wait_for_topics": Call(lambda w: w.admin.wait_for_topics([TOPIC])),
}

CLASSES: Final = {
    "KafkaProducer": (KafkaProducer, PRODUCER),
    "KafkaConsumer": (KafkaConsumer, CONSUMER),
    "KafkaAdminClient": (KafkaAdminClient, ADMIN),
}
ABSENT: Final = {
    "BrokerConnection": "absent: connections are the client's own affair",
    "KafkaClient": "absent: connections are the client's own affair; `KafkaAdminClient.send_request`",
}


def methods_of(name: str) -> dict[str, tuple[list[str] | None, list[str] | None]]:
    """By method its parameters in 2.3 and in 3.0; None: it has none such."""
    old, new = (API[version]["classes"][name] for version in (OLD, NEW))
    return {method: (old.get(method), new.get(method)) for method in sorted({*old, *new})}


def statuses(world: World) -> dict[str, dict[str, str]]:
    """Each method is called; what it came to."""
    return {
        name: {method: status_of(world, call) for method, call in calls.items()}
        for name, (_, calls) in CLASSES.items()
    }


def status_of(world: World, call: Call) -> str:
    try:
        call.run(world)
    except Exception as error:
        if call.refusal is None or not isinstance(error, call.refusal):
            raise
        return call.status
    if call.refusal is not None and not call.answered:
        raise AssertionError(f"{call.refusal.__name__} was expected")
    return call.status


def page(found: Mapping[str, Mapping[str, str]]) -> str:
    """The page, from what the calls came to."""
    lines = [
        "# kafka-python, and `ottla.kafka`",
        "",
        "Generated by `python -m tests.unit.kafka.parity`: every method of kafka-python's public API",
        f"({OLD} and {NEW}) is called against a broker; what it came to is written here.",
        "`ottla.kafka` has the signatures and defaults of 3.x and takes the spellings of 2.x.",
    ]
    for name, rows in found.items():
        lines += ["", f"## {name}", "", "| method | 2.3 | 3.0 | here |", "|---|---|---|---|"]
        for method, (old, new) in methods_of(name).items():
            lines.append(f"| `{method}` | {_mark(old)} | {_mark(new)} | {rows[method]} |")
    lines += _configurations()
    lines += ["", "## Names in the package", "", "| name | 2.3 | 3.0 | here |", "|---|---|---|---|"]
    for name in sorted({*API[OLD]["exports"], *API[NEW]["exports"]}):
        old, new = (name in API[version]["exports"] for version in (OLD, NEW))
        lines.append(
            f"| `{name}` | {_mark(old or None)} | {_mark(new or None)} | {ABSENT.get(name, WORKS)} |"
        )
    every = {*API[OLD]["errors"], *API[NEW]["errors"]}
    lines += [
        "",
        f"`kafka.errors`: all {len(every)} exceptions of both are there. `KafkaError` is a `RuntimeError`,",
        "as in 2.x; `RetriableError` and `InvalidMetadataError` are above theirs, as in 3.x;",
        "`NoBrokersAvailable` is a `KafkaTimeoutError`.",
        "",
    ]
    return "\n".join(lines)


def _mark(there: object) -> str:
    return "" if there is None else "yes"


def _configurations() -> list[str]:
    lines = [
        "",
        "## Configurations",
        "",
        "| configuration | Producer | Consumer | Admin | here |",
        "|---|---|---|---|---|",
    ]
    for name, known in sorted(KNOWN.items()):
        takers = " | ".join(
            f"`{_shown(known.default)}`" if client in known.clients else ""
            for client in (For.PRODUCER, For.CONSUMER, For.ADMIN)
        )
        here = "taken"
        if known.silent is not None:
            here = f"accepted, without meaning: {known.silent}"
        if known.refused is not None:
            here = f"refused unless None: {known.refused}"
        if name == "transactional_id":
            here = "refused unless None: there are no transactions yet"
        lines.append(f"| `{name}` | {takers} | {here} |")
    return lines


def _shown(default: object) -> str:
    return "ottla-<version>" if str(default).startswith("ottla-") else repr(default)


def main() -> int:
    warnings.simplefilter("ignore")
    with Broker(port=0, settings=SETTINGS) as broker:
        world = World(broker.bootstrap_servers)
        PAGE.write_text(page(statuses(world)))
        world.close()
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
