"""What a compacted log has to show, in histories written by hand."""

from ottla.sim.checker.compacted import PROMISE
from ottla.sim.history import Life, ReadBatch, Record, Send
from tests.unit.sim.checker.tale import Tale

COMPACT = {"cleanup.policy": "compact", "delete.retention.ms": "1000"}


class Compacted(Tale):
    """`put` sends a record of a key at an offset, acknowledged; an empty value deletes it."""

    def __init__(self) -> None:
        super().__init__()
        self.create(0, 1, configs=COMPACT)
        self._sent: dict[int, Record] = {}

    def put(self, at: int, offset: int, key: bytes, value: bytes, *, dies: bool = False) -> Send:
        send = self.send(at, at + 5, offset, value)
        record = Record(0, 1_000 + at, value, key, is_tombstone=dies)
        send.records = (record,)
        self._sent[offset] = Record(offset, 1_000 + at, value, key, is_tombstone=dies)
        return send

    def kept(self, base: int, last: int, *offsets: int) -> ReadBatch:
        """The batch of base..last with what is left of it."""
        records = tuple(self._sent[offset] for offset in offsets)
        text = repr((base, last, offsets)).encode()
        data = self._bytes.setdefault(text, text)
        return ReadBatch(
            data,
            base_offset=base,
            last_offset=last,
            leader_epoch=0,
            max_timestamp_ms=2_000,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            is_log_append_time=False,
            crc_is_right=True,
            records=records,
        )


def _two_of_one_key() -> Compacted:
    tale = Compacted()
    tale.put(10, 0, b"k", b"a")
    tale.put(20, 1, b"k", b"b")
    return tale


def test_an_older_value_may_go() -> None:
    tale = _two_of_one_key()
    tale.read(100, 0, 2, tale.kept(0, 0, 0), tale.kept(1, 1, 1))
    tale.read(200, 0, 2, tale.kept(1, 1, 1))
    tale.read(300, 0, 2, tale.kept(1, 1, 1), final=True)
    assert tale.judged() == []


def test_without_the_policy_nothing_may_go() -> None:
    tale = Tale()
    tale.send(10, 15, 0, b"a")
    tale.send(20, 25, 1, b"b")
    tale.read(200, 0, 2, tale.batch(1, b"b"))
    assert tale.judged() == ["offsets without gaps"]


def test_the_newest_may_not_go() -> None:
    tale = _two_of_one_key()
    tale.put(30, 2, b"other", b"c")
    tale.read(100, 0, 3, tale.kept(0, 0, 0), tale.kept(2, 2, 2))
    assert tale.judged() == [PROMISE]


def test_what_was_never_acknowledged_replaces_nothing_in_the_end() -> None:
    tale = Compacted()
    tale.put(10, 0, b"k", b"a")
    lost = tale.put(20, 1, b"k", b"b")
    lost.base_offset = -1
    tale.put(30, 2, b"other", b"c")
    tale.read(100, 0, 3, tale.kept(2, 2, 2))
    tale.read(200, 0, 3, tale.kept(2, 2, 2), final=True)
    assert tale.judged() == [PROMISE]


def test_what_is_gone_stays_gone() -> None:
    tale = _two_of_one_key()
    tale.read(100, 0, 2, tale.kept(1, 1, 1))
    tale.read(200, 0, 2, tale.kept(0, 0, 0), tale.kept(1, 1, 1))
    assert tale.judged() == [PROMISE]


def test_a_power_cut_may_bring_it_back() -> None:
    tale = _two_of_one_key()
    tale.flushed(50, 2)
    tale.read(100, 0, 2, tale.kept(1, 1, 1))
    tale.life(150, Life.POWER_CUT)
    tale.read(200, 0, 2, tale.kept(0, 0, 0), tale.kept(1, 1, 1))
    assert tale.judged() == []


def _deleted() -> Compacted:
    tale = Compacted()
    tale.put(10, 0, b"k", b"a")
    tale.put(20, 1, b"k", b"gone", dies=True)
    tale.put(30, 2, b"other", b"c")
    return tale


def test_a_tombstone_stays_for_its_time() -> None:
    tale = _deleted()
    tale.read(500, 0, 3, tale.kept(2, 2, 2))
    assert tale.judged() == [PROMISE]


def test_a_tombstone_may_go_after_it() -> None:
    tale = _deleted()
    tale.read(1_500, 0, 3, tale.kept(2, 2, 2))
    tale.read(1_600, 0, 3, tale.kept(2, 2, 2), final=True)
    assert tale.judged() == []


def test_a_tombstone_does_not_go_before_what_it_deletes() -> None:
    tale = _deleted()
    tale.read(1_500, 0, 3, tale.kept(0, 0, 0), tale.kept(2, 2, 2), final=True)
    assert tale.judged() == [PROMISE]


def test_a_batch_with_fewer_records_is_the_same_batch() -> None:
    tale = Compacted()
    for offset in range(3):
        tale.put(10 + offset, offset, b"k", b"%d" % offset)
    tale.read(100, 0, 3, tale.kept(0, 2, 0, 1, 2))
    tale.read(200, 0, 3, tale.kept(0, 2, 2))
    tale.read(300, 1, 3, tale.kept(0, 2, 2), final=True)
    assert tale.judged() == []


def test_a_record_that_is_left_is_unchanged() -> None:
    tale = Compacted()
    tale.put(10, 0, b"k", b"a")
    tale.put(20, 1, b"l", b"b")
    tale.read(100, 0, 2, tale.kept(0, 1, 0, 1))
    tale._sent[1] = Record(1, 1_021, b"b", b"l")
    tale.read(200, 0, 2, tale.kept(0, 1, 1))
    assert "bytes never change" in tale.judged()


def test_a_key_is_what_was_sent() -> None:
    tale = Compacted()
    tale.put(10, 0, b"k", b"a")
    tale._sent[0] = Record(0, 1_010, b"a", b"x")
    tale.read(100, 0, 1, tale.kept(0, 0, 0))
    assert tale.judged() == ["bytes never change"]


def test_offsets_rise_in_a_compacted_log() -> None:
    tale = _two_of_one_key()
    tale.read(100, 0, 2, tale.kept(1, 1, 1), tale.kept(0, 0, 0))
    assert "offsets without gaps" in tale.judged()


def test_a_read_does_not_begin_before_what_was_asked_for() -> None:
    tale = _two_of_one_key()
    tale.read(100, 1, 2, tale.kept(0, 0, 0), tale.kept(1, 1, 1))
    assert tale.judged() == ["offsets without gaps"]
