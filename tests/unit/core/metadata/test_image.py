"""What each record does to the image, and what the delta tells of it."""

from collections.abc import Iterable

import pytest

from ottla.core.metadata.image import Delta, Image, PartitionImage
from ottla.core.metadata.partition import MIGRATING_DIRECTORY
from ottla.core.metadata.records import (
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    Entry,
    FeatureLevelRecord,
    FenceBrokerRecord,
    MetadataRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UserScramCredentialRecord,
)
from ottla.core.metadata.snapshot import records_of
from ottla.errors import RemoteProtocolError
from ottla.wire.stored.client_quota_record import EntityData

A, B = b"A" * 16, b"B" * 16
DIR = b"D" * 16


def entry(*records: MetadataRecord, offset: int = 10) -> Entry:
    return Entry(
        base_offset=offset,
        end_offset=offset + len(records),
        epoch=2,
        timestamp_ms=77,
        records=records,
    )


def folded(*records: MetadataRecord) -> Image:
    image = Image().fold([entry(*records)])
    image.check_invariants()
    return image


def change(image: Image, *records: MetadataRecord) -> tuple[Image, Delta]:
    after, delta = image.apply(entry(*records, offset=image.offset))
    after.check_invariants()
    return after, delta


def topic(
    name: str = "t", topic_id: bytes = A, partitions: Iterable[int] = (0, 1)
) -> list[MetadataRecord]:
    return [
        TopicRecord(name=name, topic_id=topic_id),
        *(
            PartitionRecord(
                partition_id=number,
                topic_id=topic_id,
                replicas=[1, 2],
                isr=[1, 2],
                leader=1,
                leader_epoch=0,
                partition_epoch=0,
                directories=[DIR, DIR],
            )
            for number in partitions
        ),
    ]


def setting(name: str, value: str | None, topic_name: str = "t") -> ConfigRecord:
    return ConfigRecord(resource_type=2, resource_name=topic_name, name=name, value=value)


def broker(**fields: object) -> RegisterBrokerRecord:
    record = RegisterBrokerRecord(broker_id=1, broker_epoch=5, incarnation_id=A, rack=None)
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def test_an_entry_leaves_its_end_epoch_and_time() -> None:
    image = folded(NoOpRecord(), NoOpRecord())
    assert (image.offset, image.epoch, image.timestamp_ms) == (12, 2, 77)


def test_a_topic_comes_with_its_partitions_and_settings() -> None:
    image, delta = change(Image(), *topic(), setting("retention.ms", "5"))
    made = image.topics["t"]
    assert image.topic_ids[A] is made
    assert [partition.leader for partition in made.partitions] == [1, 1]
    assert made.replication_factor == 2
    assert image.topic_configs("t") == {"retention.ms": "5"}
    assert delta == Delta(created=(made,))


def test_partitions_may_come_in_any_order_but_without_gaps() -> None:
    assert len(folded(*topic(partitions=(1, 0))).topics["t"].partitions) == 2
    with pytest.raises(RemoteProtocolError, match="gaps"):
        folded(*topic(partitions=(0, 2)))


def test_the_image_before_is_untouched() -> None:
    before = folded(*topic(), setting("a", "1"), broker(), FeatureLevelRecord("x.version", 1))
    records = list(records_of(before))
    change(
        before,
        setting("a", None),
        RemoveTopicRecord(topic_id=A),
        UnregisterBrokerRecord(broker_id=1),
        FeatureLevelRecord("x.version", 0),
    )
    assert list(records_of(before)) == records


def test_more_partitions_are_a_change_that_names_them() -> None:
    before = folded(*topic())
    extra = topic(partitions=(2,))[1:]
    image, delta = change(before, *extra)
    (changed,) = delta.changed
    assert changed.before is before.topics["t"]
    assert changed.after is image.topics["t"]
    assert changed.partitions == (2,)
    assert delta == Delta(changed=(changed,))


def test_a_change_that_names_a_leader_bumps_both_epochs() -> None:
    before = folded(*topic())
    image, delta = change(
        before, PartitionChangeRecord(partition_id=1, topic_id=A, leader=2, isr=[2])
    )
    one = image.topics["t"].partitions[1]
    assert (one.leader, one.isr, one.leader_epoch, one.partition_epoch) == (2, (2,), 1, 1)
    assert image.topics["t"].partitions[0] is before.topics["t"].partitions[0]
    assert delta.changed[0].partitions == (1,)


def test_a_change_without_a_leader_bumps_only_the_partition_epoch() -> None:
    image, _ = change(
        folded(*topic()),
        PartitionChangeRecord(
            partition_id=0,
            topic_id=A,
            isr=[1],
            eligible_leader_replicas=[2],
            last_known_elr=[2],
            leader_recovery_state=1,
        ),
    )
    one = image.topics["t"].partitions[0]
    assert (one.leader, one.leader_epoch, one.partition_epoch) == (1, 0, 1)
    assert (one.isr, one.elr, one.last_known_elr, one.recovering) == ((1,), (2,), (2,), True)


def test_new_replicas_without_directories_are_still_to_be_placed() -> None:
    image, _ = change(
        folded(*topic()),
        PartitionChangeRecord(partition_id=0, topic_id=A, replicas=[1, 2, 3], adding_replicas=[3]),
    )
    one = image.topics["t"].partitions[0]
    assert (one.replicas, one.adding) == ((1, 2, 3), (3,))
    assert one.directories == (MIGRATING_DIRECTORY,) * 3


def test_the_whole_elr_can_be_cleared() -> None:
    before, _ = change(
        folded(*topic(), *topic("u", B)),
        PartitionChangeRecord(partition_id=0, topic_id=A, eligible_leader_replicas=[2]),
        PartitionChangeRecord(partition_id=0, topic_id=B, eligible_leader_replicas=[2]),
    )
    image, delta = change(before, ClearElrRecord(topic_name="t"))
    assert image.topics["t"].partitions[0].elr == ()
    assert image.topics["u"].partitions[0].elr == (2,)
    assert delta.changed[0].partitions == (0,)
    image, _ = change(before, ClearElrRecord(topic_name=""))
    assert image.topics["u"].partitions[0].elr == ()


def test_a_deleted_topic_takes_its_settings_along() -> None:
    before = folded(*topic(), setting("a", "1"))
    image, delta = change(before, RemoveTopicRecord(topic_id=A))
    assert not image.topics
    assert not image.topic_ids
    assert image.topic_configs("t") == {}
    assert delta == Delta(deleted=(before.topics["t"],))


def test_a_topic_deleted_and_made_again_is_told_as_both() -> None:
    before = folded(*topic())
    image, delta = change(before, RemoveTopicRecord(topic_id=A), *topic(topic_id=B))
    assert delta == Delta(deleted=(before.topics["t"],), created=(image.topics["t"],))
    assert image.topics["t"].topic_id == B


def test_a_topic_made_and_deleted_in_one_entry_is_not_told() -> None:
    image, delta = change(Image(), *topic(), setting("a", "1"), RemoveTopicRecord(topic_id=A))
    assert not image.topics
    assert delta == Delta()


def test_settings_are_set_and_taken_away() -> None:
    before = folded(*topic(), setting("a", "1"), setting("b", "2"))
    image, delta = change(before, setting("a", None), setting("b", "3"))
    assert image.topic_configs("t") == {"b": "3"}
    assert delta.configs_changed == ((2, "t"),)
    image, _ = change(image, setting("b", None))
    assert (2, "t") not in image.configs


def test_a_broker_is_fenced_and_unfenced_by_old_and_new_records() -> None:
    image = folded(broker())
    assert image.brokers[1].fenced
    for record, fenced in (
        (UnfenceBrokerRecord(id=1, epoch=5), False),
        (FenceBrokerRecord(id=1, epoch=5), True),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=5, fenced=-1), False),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=5), False),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=5, fenced=1), True),
    ):
        image, delta = change(image, record)
        assert image.brokers[1].fenced is fenced
        assert delta.brokers_changed == (1,)


def test_a_broker_that_shuts_down_stays_so_until_it_registers_again() -> None:
    image = folded(broker(fenced=False))
    image, _ = change(image, BrokerRegistrationChangeRecord(broker_id=1, in_controlled_shutdown=1))
    image, _ = change(image, BrokerRegistrationChangeRecord(broker_id=1, log_dirs=[DIR]))
    assert not image.brokers[1].is_active
    assert image.brokers[1].log_dirs == (DIR,)
    image, _ = change(image, broker(fenced=False, broker_epoch=9))
    assert image.brokers[1].is_active
    image, _ = change(image, UnregisterBrokerRecord(broker_id=1))
    assert not image.brokers


def test_features_and_producer_ids_are_what_was_said_last() -> None:
    image = folded(
        FeatureLevelRecord("metadata.version", 30),
        FeatureLevelRecord("group.version", 1),
        ProducerIdsRecord(next_producer_id=1000),
        FeatureLevelRecord("group.version", 0),
        ProducerIdsRecord(next_producer_id=2000),
    )
    assert image.features == {"metadata.version": 30}
    assert image.metadata_version == 30
    assert image.next_producer_id == 2000


def test_what_has_no_meaning_yet_is_kept_until_it_is_taken_away() -> None:
    scram = UserScramCredentialRecord(name="u", mechanism=1, salt=b"s")
    image = folded(scram)
    assert list(records_of(image)) == [scram]
    image, _ = change(image, RemoveUserScramCredentialRecord(name="u", mechanism=1))
    assert list(records_of(image)) == []


def test_quotas_are_by_entity_and_key_and_survive_a_snapshot() -> None:
    both = [EntityData("user", None), EntityData("client-id", "c")]
    bytes_in = ClientQuotaRecord(entity=both, key="producer_byte_rate", value=1.5)
    bytes_out = ClientQuotaRecord(entity=both[::-1], key="consumer_byte_rate", value=2.0)
    of_user = ClientQuotaRecord(entity=both[:1], key="producer_byte_rate", value=3.0)
    image = folded(bytes_in, bytes_out, of_user)
    entity = (("client-id", "c"), ("user", None))
    assert image.quotas == {
        entity: {"producer_byte_rate": 1.5, "consumer_byte_rate": 2.0},
        (("user", None),): {"producer_byte_rate": 3.0},
    }
    assert folded(*records_of(image)).quotas == image.quotas
    gone = ClientQuotaRecord(entity=both, key="producer_byte_rate", remove=True)
    after, delta = change(image, gone)
    assert delta.quotas_changed
    assert after.quotas[entity] == {"consumer_byte_rate": 2.0}
    gone = ClientQuotaRecord(entity=both, key="consumer_byte_rate", remove=True)
    after, _ = change(after, gone)
    assert entity not in after.quotas
    assert image.quotas[entity]["producer_byte_rate"] == 1.5, "an image never changes"


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (PartitionRecord(topic_id=B, partition_id=0), "which no record made"),
        (PartitionChangeRecord(topic_id=A, partition_id=9), "partition 9"),
        (RemoveTopicRecord(topic_id=B), "which no record made"),
        (UnfenceBrokerRecord(id=4), "broker 4"),
        (TopicRecord(name="t", topic_id=B), "under another id"),
        (TopicRecord(name="u", topic_id=A), "under the id of another"),
        (ClearElrRecord(topic_name="nope"), "'nope'"),
    ],
)
def test_records_that_contradict_the_log_are_named(record: MetadataRecord, problem: str) -> None:
    with pytest.raises(RemoteProtocolError, match=problem):
        change(folded(*topic()), record)


def test_folding_everything_equals_applying_one_by_one() -> None:
    entries = [
        entry(*topic(), offset=0),
        entry(setting("a", "1"), offset=10),
        entry(PartitionChangeRecord(partition_id=1, topic_id=A, leader=-1), offset=20),
        entry(*topic("u", B), broker(), offset=30),
        entry(RemoveTopicRecord(topic_id=A), offset=40),
    ]
    stepwise = Image()
    for one in entries:
        stepwise, _ = stepwise.apply(one)
    assert Image().fold(entries) == stepwise


def test_an_image_is_its_records_again() -> None:
    image = folded(
        FeatureLevelRecord("group.version", 1),
        FeatureLevelRecord("metadata.version", 30),
        broker(fenced=False, cordoned_log_dirs=[DIR], log_dirs=[DIR]),
        *topic(),
        setting("a", "1"),
        PartitionChangeRecord(
            partition_id=0,
            topic_id=A,
            leader=-1,
            isr=[],
            eligible_leader_replicas=[1],
            last_known_elr=[1],
            removing_replicas=[2],
        ),
        ProducerIdsRecord(next_producer_id=3000),
        UserScramCredentialRecord(name="u", mechanism=1),
    )
    records = tuple(records_of(image))
    assert isinstance(records[0], FeatureLevelRecord)
    assert records[0].name == "metadata.version"
    again = Image().fold([entry(*records)])
    for name in ("topics", "topic_ids", "configs", "brokers", "features", "next_producer_id"):
        assert getattr(again, name) == getattr(image, name), name
    assert list(again.kept.values()) == list(image.kept.values())


def test_invariants_catch_an_isr_that_is_no_replica() -> None:
    partition = PartitionImage(
        replicas=(1,),
        isr=(2,),
        leader=1,
        leader_epoch=0,
        partition_epoch=0,
        directories=(DIR,),
    )
    image = folded(*topic())
    broken = type(image.topics["t"])("t", A, (partition,))
    image = Image(topics={"t": broken}, topic_ids={A: broken})
    with pytest.raises(AssertionError):
        image.check_invariants()
