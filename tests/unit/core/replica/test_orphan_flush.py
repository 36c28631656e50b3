"""A flush of a deleted topic says nothing of the topic that was made anew under its name.

Kills the mutant `M60-flush-of-predecessor`, for which the simulator has no eye: there, a flush that
is under way when its topic is deleted ends before the next topic of that name can be there.
"""

from tests.unit.core.replica.house import NOW_MS, House, batch

from ottla.core.effect import Effect, Flush
from ottla.core.log.log import Appended
from ottla.record.validate import ValidBatch, validate_untrusted


def append(house: House, *values: bytes) -> list[Effect]:
    leader = house.leader("t")
    valid = validate_untrusted(
        batch(*values), api_version=9, now_ms=NOW_MS, settings=leader.policy.checks
    )
    assert isinstance(valid, ValidBatch)
    assert isinstance(leader.append(valid, NOW_MS), Appended)
    return house.table.appended(leader, NOW_MS)


def test_a_flush_of_a_deleted_topic_acknowledges_nothing_of_its_successor() -> None:
    house = House(settings={"ottla.flush": "ack"})
    house.create("t")
    under_way = [one for one in append(house, b"a", b"b", b"c") if isinstance(one, Flush)]
    assert [one.end_offset for one in under_way] == [3]
    house.delete("t")
    house.create("t")
    own = append(house, b"d")
    leader = house.leader("t")
    own += house.table.flushed(leader.partition, 3, NOW_MS)
    assert leader.high_watermark == 0
    assert leader.log.flushed_offset == 0
    house.flush(own)
    assert leader.high_watermark == 1
