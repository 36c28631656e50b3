"""The single node's metadata log: nothing committed is lost, and Apache Kafka's files are understood."""

import json
import zlib

import pytest

from ottla.core.controller.answer import Nobody
from ottla.core.controller.topics import Created, NewTopic, TopicMaker
from ottla.core.effect import WriteWhole
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import Image
from ottla.core.metadata.local import DIRECTORY
from ottla.core.metadata.quorum import QuorumState, quorum_state_untrusted
from ottla.core.metadata.records import (
    Entry,
    FeatureLevelRecord,
    controls_untrusted,
    encode_entry,
    records_of_untrusted,
)
from ottla.core.metadata.snapshot import SnapshotId, records_of, snapshot_id, snapshot_untrusted
from ottla.errors import RemoteProtocolError
from ottla.record.batch import batches_untrusted
from ottla.record.control import ControlType
from tests.unit.core.controller.one_node import (
    DEFAULTS,
    DIRECTORY_ID,
    OneNode,
    SeededEntropy,
    start,
)
from tests.unit.core.metadata import apache_kafka
from tests.unit.fakes.disk import MemoryDisk

LOG_FILE = f"{DIRECTORY}/00000000000000000000.log"
QUORUM_FILE = f"{DIRECTORY}/quorum-state"


def create(node: OneNode, *names: str, partitions: int = 1) -> None:
    maker = TopicMaker(
        node.controller.latest, DEFAULTS, SeededEntropy(zlib.crc32("".join(names).encode()))
    )
    for name in names:
        made = maker.make(
            NewTopic(
                name=name,
                partitions=partitions,
                replication_factor=1,
                configs={"retention.ms": "9"},
            )
        )
        assert isinstance(made, Created)
    node.perform(node.controller.submit(node.now_ms, tuple(maker.records), Nobody()))


def facts(image: Image) -> list[object]:
    """All that an image says, but for who wrote it and when a broker registered."""
    return [image.topics, image.configs, image.features, image.next_producer_id, image.kept]


def stopped() -> MemoryDisk:
    """The directory of a node that Apache Kafka 4.3.1 stopped in good order."""
    disk = MemoryDisk()
    disk.put(LOG_FILE, apache_kafka.STOPPED_LOG)
    disk.put(QUORUM_FILE, apache_kafka.STOPPED_QUORUM_STATE)
    return disk


def test_a_fresh_directory_begins_as_apache_kafkas_does() -> None:
    node = start()
    assert node.log.epoch == 1
    assert json.loads(node.disk.files()[QUORUM_FILE]) == json.loads(
        apache_kafka.STOPPED_QUORUM_STATE
    )
    assert node.disk.files()[f"{DIRECTORY}/partition.metadata"] == (
        b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"
    )
    assert node.image.features == {"metadata.version": 30}
    assert node.image.brokers[1].epoch == 2


def test_the_first_control_batch_is_byte_for_byte_apache_kafkas() -> None:
    ours = bytearray(start().disk.files()[LOG_FILE][:91])
    theirs = bytearray(apache_kafka.STOPPED_LOG[:91])
    for batch in (ours, theirs):
        batch[17:21] = bytes(4)  # the checksum, because of
        batch[27:43] = bytes(16)  # the timestamps
    assert ours == theirs


def test_the_first_control_batch_repeats_what_a_standalone_snapshot_says() -> None:
    disk = MemoryDisk()
    disk.put(f"{DIRECTORY}/{SnapshotId(0, 0).file_name}", apache_kafka.STANDALONE_SNAPSHOT)
    first, *_ = batches_untrusted(start(disk).disk.files()[LOG_FILE])
    theirs, *_ = batches_untrusted(apache_kafka.STANDALONE_LOG)
    assert list(controls_untrusted(first)) == list(controls_untrusted(theirs))
    assert first.next_offset == theirs.next_offset == 3


@pytest.mark.parametrize("shutdown", list(Shutdown))
def test_a_restart_has_the_same_image_in_a_new_epoch(shutdown: Shutdown) -> None:
    node = start()
    create(node, "a", "b", partitions=3)
    node.flush()
    if shutdown is Shutdown.CLEAN:
        node.log.close(node.now_ms)
    again = start(node.disk.copy(), shutdown=shutdown, incarnation=2)
    assert again.log.epoch == 2
    if shutdown is not Shutdown.POWER_LOST:  # then, leaders begin a new epoch
        assert facts(again.image) == facts(node.image)
    assert again.image.topic_ids.keys() == node.image.topic_ids.keys()
    assert again.image.brokers[1].epoch > node.image.brokers[1].epoch


def test_what_was_flushed_survives_a_power_cut_and_what_was_not_is_gone_whole() -> None:
    node = start()
    create(node, "kept")
    node.flush()
    create(node, "lost", partitions=5)
    disk = node.disk.after_power_cut()
    again = start(disk, shutdown=Shutdown.POWER_LOST, incarnation=2)
    assert list(again.image.topics) == ["kept"]
    assert again.image.topics["kept"].partitions[0].leader_epoch == 1


def test_a_log_cut_anywhere_is_a_prefix_of_whole_entries() -> None:
    node = start()
    whole: dict[int, list[object]] = {len(node.disk.files()[LOG_FILE]): facts(node.image)}
    for name in ("a", "b"):
        create(node, name, partitions=2)
        node.flush()
        whole[len(node.disk.files()[LOG_FILE])] = facts(node.image)
    bounds = sorted(whole)
    for size in range(bounds[0], bounds[-1] + 1):
        disk = node.disk.copy()
        disk.put(LOG_FILE, node.disk.files()[LOG_FILE][:size])
        again = start(disk, shutdown=Shutdown.KILLED, incarnation=2)
        assert facts(again.image) == whole[max(one for one in bounds if one <= size)]


def test_an_epoch_is_never_used_twice_though_the_quorum_state_is_lost() -> None:
    node = start()
    epochs = [node.log.epoch]
    for _ in range(2):
        disk = node.disk.copy()
        disk.remove(QUORUM_FILE)
        node = start(disk, shutdown=Shutdown.KILLED, incarnation=len(epochs) + 1)
        epochs.append(node.log.epoch)
    assert epochs == [1, 2, 3]


def test_an_epoch_only_the_quorum_state_knows_counts() -> None:
    disk = start().disk.copy()
    disk.put(QUORUM_FILE, QuorumState(leader_id=1, leader_epoch=41).text())
    assert start(disk, shutdown=Shutdown.KILLED, incarnation=2).log.epoch == 42


def test_a_directory_that_apache_kafka_stopped_is_served() -> None:
    node = start(stopped(), incarnation=9)
    assert node.log.epoch == 2
    assert sorted(node.image.topics) == ["compacted", "plain"]
    assert node.image.topic_configs("compacted") == {
        "cleanup.policy": "compact",
        "retention.ms": "1234567",
    }
    assert node.image.next_producer_id == 1000
    assert [key[0] for key in node.image.kept] == ["controller"]
    for topic in node.image.topics.values():
        for partition in topic.partitions:
            # Its controlled shutdown (epoch 1) had left nobody in sync and one eligible replica.
            assert (partition.leader, partition.leader_epoch) == (1, 2)
            assert (partition.isr, partition.elr, partition.last_known_elr) == ((1,), (), ())
            assert partition.directories == (DIRECTORY_ID,)


def test_a_standalone_directory_keeps_its_voters_and_its_file_version() -> None:
    disk = MemoryDisk()
    disk.put(LOG_FILE, apache_kafka.STANDALONE_LOG)
    disk.put(QUORUM_FILE, apache_kafka.STANDALONE_QUORUM_STATE)
    disk.put(f"{DIRECTORY}/{SnapshotId(0, 0).file_name}", apache_kafka.STANDALONE_SNAPSHOT)
    node = start(disk, shutdown=Shutdown.KILLED, incarnation=9)
    assert sorted(node.image.topics) == ["compacted", "plain"]
    state = quorum_state_untrusted(node.disk.files()[QUORUM_FILE])
    assert state == QuorumState(leader_id=1, leader_epoch=2, data_version=1)


def test_a_directory_that_was_only_formatted_begins_as_it_was_asked_to() -> None:
    disk = MemoryDisk()
    disk.put("bootstrap.checkpoint", apache_kafka.BOOTSTRAP)
    disk.put(f"{DIRECTORY}/{SnapshotId(0, 0).file_name}", apache_kafka.STANDALONE_SNAPSHOT)
    node = start(disk)
    assert node.image.features["metadata.version"] == 30
    assert node.image.features["group.version"] == 1
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert again.image.features == node.image.features
    state = quorum_state_untrusted(again.disk.files()[QUORUM_FILE])
    assert state is not None
    assert state.data_version == 1


def test_a_transaction_nobody_ended_is_aborted() -> None:
    log = apache_kafka.STOPPED_LOG[: 91 + 330]  # control batch, bootstrap transaction
    node = start(_with_log(log), shutdown=Shutdown.KILLED)
    assert node.image.features["metadata.version"] == 30
    disk = _with_log(_without_the_end(log))
    node = start(disk, shutdown=Shutdown.KILLED)
    assert "group.version" not in node.image.features
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert facts(again.image) == facts(node.image)


def _with_log(data: bytes) -> MemoryDisk:
    disk = MemoryDisk()
    disk.put(LOG_FILE, data)
    return disk


def _without_the_end(log: bytes) -> bytes:
    """The same bootstrap transaction, but for its last record."""
    control, batch = batches_untrusted(log)
    records = tuple(record for _, record in records_of_untrusted(batch))[:-1]
    entry = Entry(
        base_offset=1, end_offset=1 + len(records), epoch=1, timestamp_ms=5, records=records
    )
    assert control.data is not None
    return bytes(control.data) + bytes(encode_entry(entry, 30))


def test_a_log_of_an_unknown_kafka_is_refused() -> None:
    node = start()
    record = FeatureLevelRecord("metadata.version", 99)
    node.perform(node.controller.submit(node.now_ms, (record,), Nobody()))
    node.flush()
    with pytest.raises(RemoteProtocolError, match=r"metadata\.version 99"):
        start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)


# --- snapshots ------------------------------------------------------------------------------------


def snapshots(disk: MemoryDisk) -> list[SnapshotId]:
    return sorted(filter(None, map(snapshot_id, disk.names(DIRECTORY))))


def test_a_snapshot_and_the_log_behind_it_are_the_image() -> None:
    node = start(bytes_between_snapshots_max=400)
    for name in ("a", "b", "c"):
        create(node, name, partitions=4)
        node.flush()
    newest = snapshots(node.disk)[-1]
    assert 0 < newest.end_offset <= node.image.offset
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert facts(again.image) == facts(node.image)


def test_a_snapshot_is_written_only_when_enough_was_logged() -> None:
    node = start(bytes_between_snapshots_max=1_000_000)
    create(node, "a")
    node.flush()
    assert snapshots(node.disk) == []


def test_an_unreadable_snapshot_is_passed_over_while_the_log_has_everything() -> None:
    node = start(bytes_between_snapshots_max=400)
    for name in ("a", "b", "c"):
        create(node, name, partitions=4)
        node.flush()
    found = snapshots(node.disk)
    assert len(found) > 1
    path = f"{DIRECTORY}/{found[-1].file_name}"
    good = node.disk.files()[path]
    flipped = bytearray(good)
    flipped[len(flipped) // 2] ^= 1
    for bad in (b"", good[:-1], good[:-75], good + b"\0", bytes(flipped), good[83:]):
        disk = node.disk.copy()
        disk.put(path, bad)
        again = start(disk, shutdown=Shutdown.KILLED, incarnation=2)
        assert facts(again.image) == facts(node.image)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "from a header to a footer"),
        (apache_kafka.BOOTSTRAP[:-75], "from a header to a footer"),
        (apache_kafka.BOOTSTRAP[83:], "from a header to a footer"),
        (apache_kafka.BOOTSTRAP[:-1], "no whole batch"),
        (apache_kafka.BOOTSTRAP + apache_kafka.BOOTSTRAP[83:336], "follow the footer"),
        (apache_kafka.BOOTSTRAP[:200] + b"!" + apache_kafka.BOOTSTRAP[201:], "checksum"),
    ],
)
def test_a_snapshot_that_is_not_whole_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(RemoteProtocolError, match=problem):
        snapshot_untrusted(data, SnapshotId(0, 0))


def test_a_bootstrap_file_that_is_not_whole_stops_the_start() -> None:
    disk = MemoryDisk()
    disk.put("bootstrap.checkpoint", apache_kafka.BOOTSTRAP[:-75])
    with pytest.raises(RemoteProtocolError, match=r"bootstrap\.checkpoint"):
        start(disk)


def test_only_two_snapshots_are_kept() -> None:
    node = start(bytes_between_snapshots_max=100)
    for name in "abcde":
        create(node, name, partitions=4)
        node.flush()
    before = snapshots(node.disk)
    again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
    assert snapshots(again.disk)[:2] == before[-2:]


def test_a_log_that_begins_behind_every_snapshot_is_refused() -> None:
    disk = start().disk.copy()
    cut = disk.files()[LOG_FILE][91:]
    disk.remove(LOG_FILE)
    disk.put(f"{DIRECTORY}/00000000000000000001.log", cut)
    for suffix in ("index", "timeindex"):
        disk.remove(f"{DIRECTORY}/00000000000000000000.{suffix}")
    with pytest.raises(RemoteProtocolError, match="begins at offset 1"):
        start(disk, shutdown=Shutdown.KILLED, incarnation=2)


def test_a_log_that_ends_before_its_snapshot_is_refused() -> None:
    node = start()
    (effect,) = node.log.snapshot(node.image)
    assert isinstance(effect, WriteWhole)
    disk = node.disk.copy()
    disk.put(effect.path, effect.data)
    disk.put(LOG_FILE, disk.files()[LOG_FILE][:91])
    with pytest.raises(RemoteProtocolError, match="ends at offset 1"):
        start(disk, shutdown=Shutdown.KILLED, incarnation=2)


def test_apache_kafkas_snapshots_are_read() -> None:
    standalone = snapshot_untrusted(apache_kafka.STANDALONE_SNAPSHOT, SnapshotId(0, 0))
    assert standalone.entry.records == ()
    assert [control for control, _ in standalone.controls] == [
        ControlType.KRAFT_VERSION,
        ControlType.KRAFT_VOTERS,
    ]
    bootstrap = snapshot_untrusted(apache_kafka.BOOTSTRAP, SnapshotId(0, 0))
    assert len(bootstrap.entry.records) == 6


def test_a_snapshot_keeps_what_the_quorum_said_of_itself() -> None:
    disk = MemoryDisk()
    disk.put(LOG_FILE, apache_kafka.STANDALONE_LOG)
    disk.put(QUORUM_FILE, apache_kafka.STANDALONE_QUORUM_STATE)
    node = start(disk, shutdown=Shutdown.KILLED, incarnation=9)
    (effect,) = node.log.snapshot(node.image)
    assert isinstance(effect, WriteWhole)
    identity = SnapshotId(node.image.offset, node.image.epoch)
    assert effect.path == f"{DIRECTORY}/{identity.file_name}"
    data = effect.data
    written = snapshot_untrusted(data, identity)
    assert [control for control, _ in written.controls] == [
        ControlType.KRAFT_VERSION,
        ControlType.KRAFT_VOTERS,
    ]
    assert list(written.entry.records) == list(records_of(node.image))


# --- quorum-state ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[1]", "holds list"),
        (b'{"leaderId":1,"leaderEpoch":2}', "data_version None"),
        (b'{"leaderId":1,"leaderEpoch":2,"data_version":7}', "data_version 7"),
        (b'{"leaderId":1,"leaderEpoch":"x","data_version":0}', "leaderEpoch 'x'"),
    ],
)
def test_a_quorum_state_of_something_else_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(RemoteProtocolError, match=problem):
        quorum_state_untrusted(data)


@pytest.mark.parametrize("torn", [b"", b"{", bytes(64), b"\xff", b"[" * 100_000])
def test_a_torn_quorum_state_costs_no_epoch_and_no_start(
    torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    disk = start().disk.copy()
    disk.put(QUORUM_FILE, torn)
    again = start(disk, shutdown=Shutdown.KILLED, incarnation=2)
    assert again.log.epoch == 2
    assert "half-written" in caplog.text
    state = quorum_state_untrusted(again.disk.files()[QUORUM_FILE])
    assert state is not None
    assert state.leader_epoch == 2


@pytest.mark.parametrize("data_version", [0, 1])
def test_a_quorum_state_is_read_as_it_was_written(data_version: int) -> None:
    state = QuorumState(leader_id=3, leader_epoch=9, data_version=data_version)
    assert quorum_state_untrusted(state.text()) == state


# --- a disk that fails ----------------------------------------------------------------------------


def test_whatever_call_the_disk_refuses_what_is_answered_is_there_after_a_restart() -> None:
    calls = 0
    for calls in range(1, 200):
        node = start()
        create(node, "before")
        node.flush()
        node.disk.fail_in(calls, changes_only=True)
        create(node, "during", partitions=3)
        failed = not node.disk.failure_pending
        node.disk.mend()
        known = list(node.controller.latest.topics)
        assert known == (["before"] if failed else ["before", "during"])
        create(node, "after")
        node.flush()
        again = start(node.disk.copy(), shutdown=Shutdown.KILLED, incarnation=2)
        assert list(again.image.topics) == list(node.image.topics)
        if not failed:
            break
    assert 1 < calls < 200
