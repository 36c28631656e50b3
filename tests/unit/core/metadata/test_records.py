"""Metadata records are Kafka's bytes, and nothing but RemoteProtocolError comes of other bytes."""

from pathlib import Path
from random import Random

import pytest

from ottla.core.metadata.records import AbortTransactionRecord as Abort
from ottla.core.metadata.records import BeginTransactionRecord as Begin
from ottla.core.metadata.records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    Entry,
    EntryReader,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    TopicRecord,
    encode_entry,
    framed,
    record_untrusted,
    records_of_untrusted,
    version_of,
)
from ottla.core.metadata.records import EndTransactionRecord as End
from ottla.core.metadata.records import MetadataRecord as Record
from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch, batches_untrusted

GOLDEN = [
    (name, int(version), bytes.fromhex(text))
    for name, version, text in (
        line.split()
        for line in Path(__file__).with_name("golden_records.txt").read_text().splitlines()
    )
]


def batch(*records: Record, base_offset: int = 10) -> Batch:
    entry = Entry(
        base_offset=base_offset,
        end_offset=base_offset + len(records),
        epoch=3,
        timestamp_ms=1_000,
        records=records,
    )
    (only,) = batches_untrusted(bytes(encode_entry(entry, 30)))
    return only


def config(name: str) -> ConfigRecord:
    return ConfigRecord(resource_type=2, resource_name="t", name=name, value="1")


@pytest.mark.parametrize(("name", "version", "value"), GOLDEN)
def test_golden_records_are_read_and_written_again(name: str, version: int, value: bytes) -> None:
    record = record_untrusted(value)
    assert type(record).__name__ == name
    assert framed(record, version) == value


def test_every_record_type_of_kafka_4_4_is_among_the_golden_ones() -> None:
    assert len({name for name, _, _ in GOLDEN}) == 27


def test_mutilated_records_raise_nothing_but_remote_protocol_error() -> None:
    random = Random(7)
    refused = 0
    for _, _, value in GOLDEN * 20:
        changed = bytearray(value)
        if random.random() < 0.3:
            del changed[random.randrange(len(changed)) :]
        else:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        try:
            record_untrusted(bytes(changed))
        except RemoteProtocolError:
            refused += 1
    assert refused > len(GOLDEN)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "without a value"),
        (b"", "is cut"),
        (b"\x02\x02\x00", "frame version 2"),
        (b"\x01\x63\x00", "type 99"),
        (b"\x01\x02\x09", "version 9"),
    ],
)
def test_what_is_no_metadata_record_is_named(value: bytes | None, problem: str) -> None:
    with pytest.raises(RemoteProtocolError, match=problem):
        record_untrusted(value)


@pytest.mark.parametrize(
    ("record", "metadata_version", "version"),
    [
        (RegisterBrokerRecord(), 7, 1),
        (RegisterBrokerRecord(), 8, 2),
        (RegisterBrokerRecord(), 17, 3),
        (RegisterBrokerRecord(), 29, 3),
        (RegisterBrokerRecord(), 30, 4),
        (BrokerRegistrationChangeRecord(), 30, 3),
        (PartitionRecord(), 16, 0),
        (PartitionRecord(), 17, 1),
        (PartitionChangeRecord(), 23, 2),
        (TopicRecord(), 30, 0),
    ],
)
def test_records_are_written_as_the_metadata_version_allows(
    record: Record, metadata_version: int, version: int
) -> None:
    assert version_of(record, metadata_version) == version


def test_an_entry_is_one_batch_with_the_epoch_of_its_writer() -> None:
    written = batch(config("a"), config("b"))
    assert (written.base_offset, written.next_offset) == (10, 12)
    assert written.partition_leader_epoch == 3
    assert written.producer_id == -1
    records = list(records_of_untrusted(written))
    assert [raw.key for raw, _ in records] == [None, None]
    assert [record for _, record in records] == [config("a"), config("b")]


def read(reader: EntryReader, *batches: Batch) -> list[tuple[int, int, tuple[Record, ...]]]:
    return [
        (entry.base_offset, entry.end_offset, entry.records)
        for one in batches
        for entry in reader.feed_untrusted(one)
    ]


def test_a_plain_batch_is_an_entry() -> None:
    entries = read(EntryReader(), batch(config("a"), config("b")))
    assert entries == [(10, 12, (config("a"), config("b")))]


def test_a_transaction_over_several_batches_is_one_entry_when_it_ends() -> None:
    reader = EntryReader()
    first = batch(config("a"), Begin(name="x"), config("b"), base_offset=0)
    assert read(reader, first) == [(0, 1, (config("a"),))]
    assert reader.open_since == 1
    second = batch(config("c"), End(), config("d"), base_offset=3)
    assert read(reader, second) == [(1, 5, (config("b"), config("c"))), (5, 6, (config("d"),))]
    assert reader.open_since is None


def test_an_aborted_transaction_leaves_nothing() -> None:
    assert read(EntryReader(), batch(Begin(), config("a"), Abort(reason="x"))) == []


@pytest.mark.parametrize(
    ("records", "problem"),
    [((Begin(), Begin()), "begins a transaction"), ((End(),), "ends a transaction")],
)
def test_transactions_that_do_not_nest_are_refused(
    records: tuple[Record, ...], problem: str
) -> None:
    with pytest.raises(RemoteProtocolError, match=problem):
        read(EntryReader(), batch(*records))
