"""A directory of an old Kafka is served as it is."""

import pytest

from ottla.sim.checker.heritage import PROMISE, check
from ottla.sim.checker.ledger import Ledger
from ottla.sim.heritage import END_OFFSET, ENTRIES, TOPIC
from ottla.sim.history import History, Outcome, Read
from ottla.sim.reading import Reader
from ottla.sim.script import parse_plan
from ottla.sim.trial import try_plan
from ottla.types import ZERO_UUID

PLAN = """
seed 5
heal 900000 {end}
client 0 administrator
client 2 consumer committed=yes
at 50000 fault inherit
at 60000 client 0 create topic=old count=1
at 100000 client 2 fetch topic=old size_bytes=100000
at 150000 client 2 fetch topic=old size_bytes=100000
at 160000 client 2 look-up topic=old time_ms=-3599990
at 200000 fault kill lasts_us=1000
at 400000 client 0 delete-before topic=old count=12
"""


def history(*entries: bytes, high_watermark: int = END_OFFSET) -> History:
    told = History(1, flush_on_ack=False)
    read = Read(2, 10, topic=TOPIC, topic_id=ZERO_UUID, partition=0, fetch_offset=0, final=True)
    read.high_watermark = high_watermark
    read.batches, _ = Reader().batches(b"".join(entries))
    read.end(20, Outcome.OK)
    told.note(read)
    return told


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_it_is_taken_over_and_survives_its_process(end: str) -> None:
    trial = try_plan(parse_plan(PLAN.format(end=end)))
    assert trial.problems == ()
    reads = [one for one in trial.history.entries if isinstance(one, Read) and one.topic == TOPIC]
    assert reads[-1].high_watermark == END_OFFSET
    seen = {batch.data for read in reads for batch in read.batches}
    assert seen == set(ENTRIES)


@pytest.mark.parametrize(
    "told",
    [
        history(ENTRIES[0], ENTRIES[2]),
        history(ENTRIES[0][:-1] + b"x"),
        history(ENTRIES[0], high_watermark=7),
        history(),
    ],
)
def test_anything_else_is_wrong(told: History) -> None:
    (violation,) = check(Ledger(told, producers_expire=False))
    assert violation.promise == PROMISE


def test_a_part_of_it_is_right() -> None:
    assert list(check(Ledger(history(*ENTRIES[3:7]), producers_expire=False))) == []
