"""What a broker is told by its operator, as values with types and units.

`broker_settings` reads what was given (file, environment, command line: `cli/configuration.py`) and
checks what no single setting can: that listeners fit together, that this is one node. A cluster's
settings are refused, not ignored: a broker that quietly runs alone would accept data its operator
believes to be replicated.

The parts are named tuples, which cost a start a third of what dataclasses do; build them by keyword.

Defaults are Kafka's but for `OWN_DEFAULTS`. Elsewhere: a topic's settings, see `topic.py`; what
DescribeConfigs says, see `describe.py`.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from ottla.settings.definition import ConfigurationError, Setting
from ottla.settings.listener import Listener, inter_broker_listener_of, listeners_of
from ottla.settings.parse import Resolved, Values, value_of
from ottla.settings.table import (
    cluster,
    coordinator,
    log,
    network,
    own,
    removed,
    security,
    tiered,
    topic,
)
from ottla.types import BrokerId

SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for table in (log, network, cluster, coordinator, security, tiered, own)
    for setting in table.SETTINGS
}
"""What DescribeConfigs knows of a broker."""

KNOWN: Final[Mapping[str, Setting]] = {
    **SETTINGS,
    **{setting.name: setting for setting in (*removed.SETTINGS, *own.AUTHORIZER_SETTINGS)},
}
"""What a settings file may name."""

OWN_DEFAULTS: Final[Mapping[str, str]] = {
    # One node: its identity need not be chosen, and it is all there is to choose roles from.
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    # Zero configuration must not open a door; see ottla.http for the same reason.
    "listeners": "PLAINTEXT://localhost:9092",
    # The local metadata log has one node: an internal topic with three replicas could not exist.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Kafka's are unlimited; a storm of clients must not take the process down.
    "max.connections": "10000",
    "max.connections.per.ip": "1000",
    "queued.max.request.bytes": "268435456",
    # Beyond the queue the kernel drops a newcomer's first packet, and the newcomer waits a second.
    "socket.listen.backlog.size": "1024",
    # The system's, which grows with what the peer takes: in Kafka's 100 KiB a megabyte leaves in seven
    # writes, and the loop is woken for each. What a peer does not take is bounded by UNSENT_BYTES_MAX.
    "socket.send.buffer.bytes": "-1",
    "group.max.size": "1000",
}


_COUNT_DIGITS_MAX: Final = 10
"""A number of connections is a whole number of 32 bits."""


class TopicCreationSettings(NamedTuple):
    """How a topic is made when the client does not say."""

    partitions: int
    replication_factor: int
    auto_create: bool
    delete_enabled: bool


class ConnectionSettings(NamedTuple):
    """`idle_ms` None: never closed for idleness. `per_host_max_overrides`: host to its own bound."""

    connections_max: int
    connections_per_host_max: int
    per_host_max_overrides: Mapping[str, int]
    connections_per_second_max: int
    idle_ms: int | None
    request_bytes_max: int
    queued_request_bytes_max: int | None
    listen_backlog: int
    send_buffer_bytes: int
    receive_buffer_bytes: int


class FetchSettings(NamedTuple):
    """Bounds of one fetch answer, and how many sessions (KIP-227) are remembered."""

    response_bytes_max: int
    sessions_max: int
    partitions_per_request_max: int


class LogSettings(NamedTuple):
    """What is done for all logs from time to time. `flush_on_ack`: an fsync before each answer."""

    flush_on_ack: bool
    initial_task_delay_ms: int
    retention_check_interval_ms: int
    recovery_point_checkpoint_interval_ms: int
    producer_id_expiration_ms: int
    cleaner_enabled: bool
    cleaner_backoff_ms: int
    cleaner_dedupe_bytes: int
    cleaner_load_factor: float
    cleaner_bytes_per_second_max: float


class GroupSettings(NamedTuple):
    """The group coordinator and its topic, __consumer_offsets."""

    initial_rebalance_delay_ms: int
    session_timeout_min_ms: int
    session_timeout_max_ms: int
    members_max: int
    offsets_partitions: int
    offsets_replication_factor: int
    offsets_segment_bytes: int
    offsets_retention_ms: int
    offsets_retention_check_interval_ms: int
    offset_metadata_bytes_max: int


class TransactionSettings(NamedTuple):
    """The transaction coordinator and its topic, __transaction_state."""

    partitions: int
    replication_factor: int
    min_insync_replicas: int
    segment_bytes: int
    timeout_max_ms: int
    transactional_id_expiration_ms: int


class QuotaSettings(NamedTuple):
    """In how many windows of which length use is counted: of clients, and of what changes topics."""

    windows: int
    window_ms: int
    mutation_windows: int
    mutation_window_ms: int


class MetadataLogSettings(NamedTuple):
    """`directory` None: the first of the log directories."""

    directory: str | None
    segment_bytes: int
    segment_ms: int
    bytes_between_snapshots_max: int
    snapshot_interval_ms_max: int


class BrokerSettings(NamedTuple):
    """`topic_defaults`: for each of a topic's settings the text that holds where it is not overridden."""

    node_id: BrokerId
    rack: str | None
    listeners: tuple[Listener, ...]
    inter_broker_listener: str
    log_dirs: tuple[str, ...]
    http: Literal["loopback", "all", "off"]
    topics: TopicCreationSettings
    connections: ConnectionSettings
    fetch: FetchSettings
    logs: LogSettings
    groups: GroupSettings
    transactions: TransactionSettings
    quotas: QuotaSettings
    metadata_log: MetadataLogSettings
    topic_defaults: Mapping[str, str]


def broker_settings(given: Mapping[str, Resolved]) -> BrokerSettings:
    """The settings of one node. Raises ConfigurationError, naming where, key, value and what to do.

    `given` may hold names nobody knows; they are not read.
    """
    values = Values(KNOWN, given, OWN_DEFAULTS)
    node_id = _node_id(values)
    _refuse_cluster(values, node_id)
    _refuse_access_control(values)
    listeners = listeners_of(values)
    return BrokerSettings(
        node_id=BrokerId(node_id),
        rack=values.string_or_none("broker.rack"),
        listeners=listeners,
        inter_broker_listener=inter_broker_listener_of(values, listeners),
        log_dirs=values.strings("log.dirs") or values.strings("log.dir"),
        http=_http(values),
        topics=_topic_creation(values),
        connections=_connections(values),
        fetch=_fetch(values),
        logs=_logs(values),
        groups=_groups(values),
        transactions=_transactions(values),
        quotas=_quotas(values),
        metadata_log=_metadata_log(values),
        topic_defaults=topic_defaults_of(values),
    )


def base_name(name: str) -> str:
    """The setting that a name for one listener sets: `listener.name.<l>.[<mechanism>.]<setting>`.

    The name itself when it has no such prefix, or none of its ends is a setting.
    """
    rest = name.removeprefix("listener.name.")
    if rest == name:
        return name
    _, _, rest = rest.partition(".")
    while rest and rest not in SETTINGS:
        _, _, rest = rest.partition(".")
    return rest or name


def nearest(name: str) -> str | None:
    """The setting that may be meant by a name that is none."""
    import difflib

    return next(iter(difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.75)), None)


def topic_defaults_of(values: Values) -> Mapping[str, str]:
    """A topic's settings as the broker's settings of similar names give them."""
    defaults: dict[str, str] = {}
    for setting in topic.SETTINGS:
        text = setting.default
        for synonym in setting.synonyms:
            given = values.text_or_none(synonym.name)
            if given is not None:
                value = values.value_or_none(synonym.name)  # refuses, naming the broker's key
                is_number = isinstance(value, int) and not isinstance(value, bool)
                text = str(values.integer(synonym.name) * synonym.factor) if is_number else given
                if setting.name != "retention.ms":  # see below
                    _check_as_default(values, setting, synonym.name, text)
                break
        if text is not None:
            defaults[setting.name] = text.strip()
    _check_retention(values, defaults)
    return defaults


def _check_as_default(values: Values, setting: Setting, named: str, text: str) -> None:
    """Kafka gives some of the broker's settings a wider range than the topic's that they stand for:
    what no topic may have is refused here, before anything is opened."""
    try:
        value_of(setting, text)
    except ConfigurationError as error:
        given = values.text_or_none(named)
        expected = str(error).partition(": ")[2]
        raise ConfigurationError(f"{values.where(named)}: {named}={given}: {expected}") from None


def _check_retention(values: Values, defaults: dict[str, str]) -> None:
    """Any negative time is "for ever", in whichever unit it was given; none at all is refused."""
    retention_ms = int(defaults["retention.ms"])
    if retention_ms < 0:
        defaults["retention.ms"] = "-1"
    if retention_ms == 0:
        named = next(s.name for s in log.RETENTION if values.text_or_none(s.name) is not None)
        raise ConfigurationError(
            f"{values.where(named)}: {named}=0: -1 (for ever) or a number from 1 on is expected"
        )


def _node_id(values: Values) -> int:
    """`broker.id` is the older name of `node.id`; -1 there means: not chosen."""
    node_id = values.integer("node.id")
    broker_id = values.integer("broker.id")
    if broker_id < 0:
        return node_id
    if values.is_given("node.id") and node_id != broker_id:
        raise ConfigurationError(
            f"{values.where('broker.id')}: broker.id={broker_id} and node.id={node_id} are names of "
            "one thing and must be equal; leave one of them out"
        )
    return broker_id


def _refuse_cluster(values: Values, node_id: int) -> None:
    roles = values.strings("process.roles")
    if "broker" not in roles:
        raise ConfigurationError(
            f"{values.where('process.roles')}: process.roles={','.join(roles)}: this node is always "
            "a broker that also keeps the metadata; a controller of its own is not run here"
        )
    _refuse_quorum(values, node_id)
    ensemble = values.string_or_none("zookeeper.connect")
    if ensemble and values.string("ottla.metadata.store") != "local":
        raise ConfigurationError(
            f"{values.where('zookeeper.connect')}: zookeeper.connect={ensemble} asks for a cluster, "
            "which this version cannot form yet; to run one node with its own metadata, leave it out "
            "or add ottla.metadata.store=local"
        )


def _refuse_quorum(values: Values, node_id: int) -> None:
    voters = values.strings("controller.quorum.voters")
    bootstrap = values.strings("controller.quorum.bootstrap.servers")
    for key, members in (
        ("controller.quorum.voters", voters),
        ("controller.quorum.bootstrap.servers", bootstrap),
    ):
        if len(members) > 1:
            raise ConfigurationError(
                f"{values.where(key)}: {key}={','.join(members)}: a quorum of several controllers is "
                "not run here; a cluster is formed by zookeeper.connect "
                "(KAFKA_ZOOKEEPER_CONNECT), a single node names only itself"
            )
    if voters and int(voters[0].partition("@")[0]) != node_id:
        raise ConfigurationError(
            f"{values.where('controller.quorum.voters')}: controller.quorum.voters={voters[0]} names "
            f"another node than this one (node.id={node_id}); brokers do not join a controller "
            "elsewhere, a cluster is formed by zookeeper.connect (KAFKA_ZOOKEEPER_CONNECT)"
        )


def _refuse_access_control(values: Values) -> None:
    """Running open where an authorizer was asked for would be worse than not running."""
    authorizer = values.string_or_none("authorizer.class.name")
    if authorizer:
        raise ConfigurationError(
            f"{values.where('authorizer.class.name')}: authorizer.class.name={authorizer}: access "
            "control is not in this version; leave it out to run without"
        )


def _http(values: Values) -> Literal["loopback", "all", "off"]:
    match values.string("ottla.http"):
        case "all":
            return "all"
        case "off":
            return "off"
        case _:
            return "loopback"


def _topic_creation(values: Values) -> TopicCreationSettings:
    return TopicCreationSettings(
        partitions=values.integer("num.partitions"),
        replication_factor=values.integer("default.replication.factor"),
        auto_create=values.boolean("auto.create.topics.enable"),
        delete_enabled=values.boolean("delete.topic.enable"),
    )


def _connections(values: Values) -> ConnectionSettings:
    queued_bytes = values.integer("queued.max.request.bytes")
    idle_ms = values.integer("connections.max.idle.ms")
    return ConnectionSettings(
        connections_max=values.integer("max.connections"),
        connections_per_host_max=values.integer("max.connections.per.ip"),
        per_host_max_overrides=_per_host_overrides(values),
        connections_per_second_max=values.integer("max.connection.creation.rate"),
        idle_ms=idle_ms if idle_ms > 0 else None,
        request_bytes_max=values.integer("socket.request.max.bytes"),
        queued_request_bytes_max=queued_bytes if queued_bytes > 0 else None,
        listen_backlog=values.integer("socket.listen.backlog.size"),
        send_buffer_bytes=values.integer("socket.send.buffer.bytes"),
        receive_buffer_bytes=values.integer("socket.receive.buffer.bytes"),
    )


def _per_host_overrides(values: Values) -> Mapping[str, int]:
    key = "max.connections.per.ip.overrides"
    overrides = {}
    for pair in values.string(key).split(","):
        host, colon, count = pair.strip().rpartition(":")
        if not pair.strip():
            continue
        few = len(count.lstrip("0")) <= _COUNT_DIGITS_MAX
        if not (host and colon and count.isascii() and count.isdigit() and few):
            raise ConfigurationError(
                f"{values.where(key)}: {key}={values.string(key)}: a list of host:number is expected"
            )
        overrides[host] = int(count.lstrip("0") or "0")
    return overrides


def _fetch(values: Values) -> FetchSettings:
    return FetchSettings(
        response_bytes_max=values.integer("fetch.max.bytes"),
        sessions_max=values.integer("max.incremental.fetch.session.cache.slots"),
        partitions_per_request_max=values.integer("max.request.partition.size.limit"),
    )


def _logs(values: Values) -> LogSettings:
    return LogSettings(
        flush_on_ack=values.string("ottla.flush") == "ack",
        initial_task_delay_ms=values.integer("log.initial.task.delay.ms"),
        retention_check_interval_ms=values.integer("log.retention.check.interval.ms"),
        recovery_point_checkpoint_interval_ms=values.integer(
            "log.flush.offset.checkpoint.interval.ms"
        ),
        producer_id_expiration_ms=values.integer("producer.id.expiration.ms"),
        cleaner_enabled=values.boolean("log.cleaner.enable"),
        cleaner_backoff_ms=values.integer("log.cleaner.backoff.ms"),
        cleaner_dedupe_bytes=values.integer("log.cleaner.dedupe.buffer.size"),
        cleaner_load_factor=values.double("log.cleaner.io.buffer.load.factor"),
        cleaner_bytes_per_second_max=values.double("log.cleaner.io.max.bytes.per.second"),
    )


def _groups(values: Values) -> GroupSettings:
    session_min_ms = values.integer("group.min.session.timeout.ms")
    session_max_ms = values.integer("group.max.session.timeout.ms")
    if session_min_ms > session_max_ms:
        raise ConfigurationError(
            f"{values.where('group.min.session.timeout.ms')}: group.min.session.timeout.ms="
            f"{session_min_ms} is above group.max.session.timeout.ms={session_max_ms}"
        )
    return GroupSettings(
        initial_rebalance_delay_ms=values.integer("group.initial.rebalance.delay.ms"),
        session_timeout_min_ms=session_min_ms,
        session_timeout_max_ms=session_max_ms,
        members_max=values.integer("group.max.size"),
        offsets_partitions=values.integer("offsets.topic.num.partitions"),
        offsets_replication_factor=values.integer("offsets.topic.replication.factor"),
        offsets_segment_bytes=values.integer("offsets.topic.segment.bytes"),
        offsets_retention_ms=values.integer("offsets.retention.minutes") * 60_000,
        offsets_retention_check_interval_ms=values.integer("offsets.retention.check.interval.ms"),
        offset_metadata_bytes_max=values.integer("offset.metadata.max.bytes"),
    )


def _transactions(values: Values) -> TransactionSettings:
    return TransactionSettings(
        partitions=values.integer("transaction.state.log.num.partitions"),
        replication_factor=values.integer("transaction.state.log.replication.factor"),
        min_insync_replicas=values.integer("transaction.state.log.min.isr"),
        segment_bytes=values.integer("transaction.state.log.segment.bytes"),
        timeout_max_ms=values.integer("transaction.max.timeout.ms"),
        transactional_id_expiration_ms=values.integer("transactional.id.expiration.ms"),
    )


def _quotas(values: Values) -> QuotaSettings:
    return QuotaSettings(
        windows=values.integer("quota.window.num"),
        window_ms=values.integer("quota.window.size.seconds") * 1000,
        mutation_windows=values.integer("controller.quota.window.num"),
        mutation_window_ms=values.integer("controller.quota.window.size.seconds") * 1000,
    )


def _metadata_log(values: Values) -> MetadataLogSettings:
    return MetadataLogSettings(
        directory=values.string_or_none("metadata.log.dir"),
        segment_bytes=values.integer("metadata.log.segment.bytes"),
        segment_ms=values.integer("metadata.log.segment.ms"),
        bytes_between_snapshots_max=values.integer(
            "metadata.log.max.record.bytes.between.snapshots"
        ),
        snapshot_interval_ms_max=values.integer("metadata.log.max.snapshot.interval.ms"),
    )
