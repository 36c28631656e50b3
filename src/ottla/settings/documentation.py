"""What a setting does, in a sentence or two, for everyone who asks: DescribeConfigs, the reference
page, the console. A setting without a line here is accepted and has no meaning in Ottla.
"""

from collections.abc import Mapping
from typing import Final

from ottla.settings.table import topic

TOPIC: Final[Mapping[str, str]] = {
    "cleanup.policy": "What happens to old records: delete removes whole segments by age and size, "
    "compact keeps the last record of each key; both may be given, and none keeps everything. A log "
    "with batches of before Kafka 0.11 is not compacted.",
    "compression.gzip.level": "How hard gzip works where the broker compresses; -1: gzip's default.",
    "compression.type": "The codec batches are stored with; producer keeps the producer's.",
    "compression.zstd.level": "How hard zstd works where the broker compresses.",
    "delete.retention.ms": "How long a compacted topic keeps the markers of deleted keys, so that a "
    "reader that began at the start still sees them.",
    "file.delete.delay.ms": "How long a removed segment's files stay on the disk, renamed, so that "
    "an answer that is being sent can end.",
    "flush.messages": "An fsync after so many records. 1: before every acknowledgment.",
    "flush.ms": "An fsync after so many milliseconds with unflushed records.",
    "index.interval.bytes": "An entry in the offset index about every so many bytes of records.",
    "max.compaction.lag.ms": "The longest a record may stay uncompacted.",
    "max.message.bytes": "The largest record batch, as stored, that is accepted.",
    "message.downconversion.enable": "Whether clients before Kafka 0.11 (Fetch 0-3) may read, for whom "
    "batches are converted; if not, they are told UNSUPPORTED_VERSION.",
    "message.timestamp.after.max.ms": "How far a record's timestamp may lie ahead of the broker's "
    "clock.",
    "message.timestamp.before.max.ms": "How far a record's timestamp may lie behind the broker's "
    "clock.",
    "message.timestamp.type": "Whose clock stamps records: CreateTime is the producer's, "
    "LogAppendTime the broker's.",
    "min.cleanable.dirty.ratio": "The share of uncompacted bytes from which on a log is compacted.",
    "min.compaction.lag.ms": "The shortest a record stays uncompacted.",
    "min.insync.replicas": "With acks=all a write is accepted while at least so many replicas are "
    "in sync.",
    "preallocate": "Whether a new segment's file gets its full size at once.",
    "retention.bytes": "The size of a partition from which on its oldest segments go; -1: no bound.",
    "retention.ms": "The age from which on segments go; -1: they stay for ever.",
    "segment.bytes": "The size at which a new segment begins.",
    "segment.index.bytes": "The size of a segment's offset index at which a new segment begins.",
    "segment.jitter.ms": "At most so much is randomly taken off segment.ms, so that not all segments "
    "begin at once.",
    "segment.ms": "The age at which a new segment begins even if it is not full.",
    "unclean.leader.election.enable": "Whether a replica that is not in sync may lead, which loses "
    "records, when no other is left.",
}

BROKER: Final[Mapping[str, str]] = {
    "advertised.listeners": "The addresses that clients are told to connect to, one per listener. "
    "Not set: the host in listeners, or else the address the client's connection arrived on.",
    "authorizer.class.name": "Access control. Not in this version: a name here refuses the start.",
    "auto.create.topics.enable": "Whether asking for a topic that is not there makes it.",
    "broker.id": "The older name of node.id; -1: not chosen.",
    "broker.rack": "Where this broker stands, for placing replicas and for reading nearby.",
    "connections.max.idle.ms": "A connection on which nothing moved for so long is closed.",
    "controller.listener.names": "Listeners for controllers only: accepted, and not opened.",
    "controller.quorum.bootstrap.servers": "Several are refused: a cluster is formed by "
    "zookeeper.connect.",
    "controller.quorum.voters": "This node alone. Several are refused: a cluster is formed by "
    "zookeeper.connect.",
    "controller.quota.window.num": "How many windows of unused changes of topics a client may save "
    "up.",
    "controller.quota.window.size.seconds": "The length of such a window.",
    "default.replication.factor": "Replicas of a topic when the client does not say.",
    "delete.topic.enable": "Whether topics can be deleted.",
    "fetch.max.bytes": "The largest answer to a fetch, whatever the client allows.",
    "group.initial.rebalance.delay.ms": "How long an empty group waits for more members before it "
    "begins.",
    "group.max.session.timeout.ms": "The longest session timeout a member may ask for.",
    "group.max.size": "Members that one group may have.",
    "group.min.session.timeout.ms": "The shortest session timeout a member may ask for.",
    "inter.broker.listener.name": "The listener that other brokers use.",
    "listener.security.protocol.map": "Listener names and their protocols. This version listens "
    "with PLAINTEXT only.",
    "listeners": "Where the broker listens: NAME://host:port. An empty host is every interface, "
    "port 0 any free port.",
    "log.cleaner.backoff.ms": "How long compaction waits when there is nothing to do.",
    "log.cleaner.dedupe.buffer.size": "The memory for the keys of a log while it is compacted: about "
    "200 bytes each, where Kafka takes 24. A log with more keys is compacted in several rounds.",
    "log.cleaner.enable": "Whether logs are compacted at all.",
    "log.cleaner.io.buffer.load.factor": "The share of that memory that is used.",
    "log.cleaner.io.max.bytes.per.second": "What compaction may read and write, taken together.",
    "log.dir": "Where records are kept, when log.dirs is not set.",
    "log.dirs": "Where records are kept.",
    "log.flush.offset.checkpoint.interval.ms": "How often it is noted up to where logs are flushed.",
    "log.flush.scheduler.interval.ms": "How often it is looked whether a log is due for its flush.",
    "log.flush.start.offset.checkpoint.interval.ms": "How often the logs' start offsets are noted.",
    "log.initial.task.delay.ms": "How long after the start the work on logs begins.",
    "log.retention.check.interval.ms": "How often it is looked for segments that may go.",
    "max.connection.creation.rate": "New connections per second, of all listeners together; others wait.",
    "max.connections": "Connections at one time; one more is refused.",
    "max.connections.per.ip": "Connections at one time from one address.",
    "max.connections.per.ip.overrides": "host:number pairs: other bounds for single addresses.",
    "max.incremental.fetch.session.cache.slots": "Fetch sessions that are remembered (KIP-227).",
    "max.request.partition.size.limit": "Partitions that one DescribeTopicPartitions answer holds.",
    "metadata.log.dir": "Where the metadata log is kept; not set: in the first log directory.",
    "metadata.log.max.record.bytes.between.snapshots": "A snapshot of the metadata after so many "
    "bytes.",
    "metadata.log.max.snapshot.interval.ms": "A snapshot of the metadata after so long.",
    "metadata.log.segment.bytes": "The size at which a new segment of the metadata log begins.",
    "metadata.log.segment.ms": "The age at which a new segment of the metadata log begins.",
    "node.id": "This node's number, and its broker id.",
    "num.partitions": "Partitions of a topic when the client does not say.",
    "offset.metadata.max.bytes": "The longest text that may go with a committed offset.",
    "offsets.retention.check.interval.ms": "How often it is looked for committed offsets that may go.",
    "offsets.retention.minutes": "How long a group without members keeps its committed offsets.",
    "offsets.topic.num.partitions": "Partitions of __consumer_offsets, when it is made.",
    "offsets.topic.replication.factor": "Replicas of __consumer_offsets, when it is made.",
    "offsets.topic.segment.bytes": "The size of segments of __consumer_offsets.",
    "ottla.flush": "What an acknowledgment promises: page-cache, as Kafka, survives a killed "
    "process; ack flushes before each one and survives a power cut.",
    "ottla.http": "Who may use HTTP on the Kafka port (console, metrics, readiness): loopback "
    "clients, all, or off.",
    "ottla.metadata.store": "Where the metadata is kept. auto: ZooKeeper when zookeeper.connect is "
    "set; local: always in this node.",
    "process.roles": "broker,controller: this node is always both.",
    "producer.id.expiration.check.interval.ms": "How often it is looked for producers to forget.",
    "producer.id.expiration.ms": "A producer that wrote nothing for so long is forgotten.",
    "quota.window.num": "Over how many windows a client's use is averaged, the one that is not over "
    "included.",
    "quota.window.size.seconds": "The length of such a window.",
    "queued.max.request.bytes": "Bytes of unfinished requests in memory at one time, of all "
    "connections; the one that goes beyond is closed.",
    "replica.high.watermark.checkpoint.interval.ms": "How often high watermarks are noted.",
    "security.inter.broker.protocol": "Chooses the listener other brokers use by its protocol.",
    "socket.listen.backlog.size": "Connections the kernel holds before they are accepted.",
    "socket.receive.buffer.bytes": "The kernel's receive buffer; -1: its default.",
    "socket.request.max.bytes": "The largest request; a longer one closes the connection.",
    "socket.send.buffer.bytes": "The kernel's send buffer; -1: its default.",
    "transaction.max.timeout.ms": "The longest transaction timeout a producer may ask for.",
    "transaction.state.log.min.isr": "min.insync.replicas of __transaction_state, when it is made.",
    "transaction.state.log.num.partitions": "Partitions of __transaction_state, when it is made.",
    "transaction.state.log.replication.factor": "Replicas of __transaction_state, when it is made.",
    "transaction.state.log.segment.bytes": "The size of segments of __transaction_state.",
    "transactional.id.expiration.ms": "A transactional id unused for so long is forgotten.",
    "zookeeper.connect": "The ensemble that forms a cluster. Not in this version: refuses the start "
    "unless ottla.metadata.store=local, or it is an image's variable that names it.",
}

_TOPIC_NAME_OF: Final = {
    synonym.name: setting.name for setting in topic.SETTINGS for synonym in setting.synonyms
}

NO_MEANING: Final = "Accepted; has no meaning in Ottla."

NOT_YET: Final = frozenset(
    (
        "metadata.log.max.snapshot.interval.ms",
        "ottla.http",
        "transactional.id.expiration.ms",
    )
)
"""Read and checked, but nothing in this version acts on them."""

_NOT_YET: Final = " Not in this version."


def documentation_of(name: str) -> str:
    """The sentence for a topic's or a broker's setting, and whether it is only a promise yet."""
    return _meaning(name) + (_NOT_YET if name in NOT_YET else "")


def _meaning(name: str) -> str:
    if name in TOPIC:
        return TOPIC[name]
    topic_name = _TOPIC_NAME_OF.get(name, "")
    if name not in BROKER and topic_name in TOPIC:
        return f"Where a topic does not set {topic_name}: {documentation_of(topic_name)}"
    return BROKER.get(name, NO_MEANING)
