"""Each checker, shown a history that breaks its promise, says so; shown the legal twin, it doesn't."""

import pytest

from ottla.sim.checker import (
    answers,
    gapless,
    kept,
    producers,
    sessions,
    times,
    topics,
    unchanged,
    watermarks,
)
from ottla.sim.checker.judge import judge
from ottla.sim.history import Life, Outcome, TopicSeen
from tests.unit.sim.checker.tale import TOPIC, TOPIC_ID, Tale

ANOTHER_ID = b"\x02" * 16


def sent(**how: bool) -> Tale:
    """Two batches of two records were acknowledged."""
    tale = Tale(**how)
    tale.send(10, 12, 0, b"a", b"b")
    tale.send(20, 22, 2, b"c", b"d")
    return tale


def test_a_calm_world_breaks_nothing() -> None:
    tale = sent()
    tale.flushed(25, 4)
    tale.life(30, Life.POWER_CUT)
    both = tale.batch(0, b"a", b"b"), tale.batch(2, b"c", b"d")
    tale.read(40, 1, 4, *both, final=True)
    tale.look_up(50, 1_015, 2, 1_020)
    tale.producer_id(60, 7)
    assert tale.judged() == []


# --- acknowledged is kept


def test_an_acknowledged_batch_that_is_gone_after_a_kill_is_missed() -> None:
    tale = sent()
    tale.life(30, Life.KILLED)
    tale.read(40, 0, 2, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == [kept.PROMISE]


@pytest.mark.parametrize(
    ("life", "unopened", "broken"),
    [(Life.KILLED, True, False), (Life.KILLED, False, True), (Life.STOPPED, True, True)],
)
def test_a_flip_before_a_late_opening_may_pass_for_what_a_kill_has_torn(
    life: Life, unopened: bool, broken: bool
) -> None:
    tale = sent()
    tale.life(30, life)
    tale.life(32, Life.STARTED)
    tale.flipped(34, unopened=unopened)
    tale.read(40, 0, 2, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == ([kept.PROMISE] if broken else [])


def test_a_look_up_of_the_end_shows_the_loss_too() -> None:
    tale = sent()
    tale.look_up(40, -1, 2)
    assert tale.judged() == [kept.PROMISE]


def there_already(**how: bool) -> Tale:
    """A batch was said to be there, and nobody said where."""
    tale = sent(**how)
    tale.send(24, 28, -1, b"e", outcome=Outcome.INFO, error=46, producer_id=7, attempts=2)
    return tale


def test_what_is_said_to_be_there_is_found_by_the_last_reading() -> None:
    tale = there_already()
    both = tale.batch(0, b"a", b"b"), tale.batch(2, b"c", b"d")
    tale.read(40, 0, 4, *both, final=True)
    assert tale.judged() == [kept.PROMISE]
    tale = there_already()
    batch = tale.batch(4, b"e", producer_id=7, sequence=0)
    tale.read(40, 4, 5, batch, final=True)
    assert tale.judged() == []


def test_what_is_said_to_be_there_may_be_lost_or_deleted_since() -> None:
    tale = there_already()
    tale.life(30, Life.POWER_CUT)
    tale.read(40, 2, 2, final=True)
    assert tale.judged() == []
    tale = there_already()
    tale.delete_before(30, 5, 5)
    tale.read(40, 5, 5, start=5, final=True)
    assert tale.judged() == []


def test_a_power_cut_may_take_what_was_not_flushed() -> None:
    tale = sent()
    tale.flushed(15, 2)
    tale.life(30, Life.POWER_CUT)
    tale.read(40, 0, 2, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == []


def test_a_power_cut_may_not_take_what_was_flushed() -> None:
    tale = sent()
    tale.flushed(25, 4)
    tale.life(30, Life.POWER_CUT)
    tale.read(40, 0, 2, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == [kept.PROMISE]


def test_with_flush_on_ack_a_power_cut_takes_nothing() -> None:
    tale = sent(flush_on_ack=True)
    tale.life(30, Life.POWER_CUT)
    tale.read(40, 0, 2, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == [kept.PROMISE]


def test_a_topic_that_flushes_every_message_promises_the_same() -> None:
    tale = Tale()
    for entry in tale.history.entries:
        if hasattr(entry, "configs"):
            entry.configs["flush.messages"] = "1"
    tale.send(10, 12, 0, b"a")
    tale.life(30, Life.POWER_CUT)
    tale.read(40, 0, 0, final=True)
    assert tale.judged() == [kept.PROMISE]


def test_a_disk_that_failed_may_lose_what_it_promised_to_nobody() -> None:
    for flush_on_ack in (False, True):
        tale = sent(flush_on_ack=flush_on_ack)
        tale.fault(25, "sync-error", "")
        tale.life(30, Life.POWER_CUT, uncertain=True)
        tale.read(40, 0, 0, final=True)
        assert tale.judged() == ([kept.PROMISE] if flush_on_ack else [])


def test_a_process_that_is_started_after_a_failed_sync_believes_a_cache_that_lies() -> None:
    tale = sent(flush_on_ack=True)
    tale.fault(5, "sync-error", "")
    tale.life(8, Life.STARTED)
    tale.life(30, Life.POWER_CUT, uncertain=True)
    tale.read(40, 0, 0, final=True)
    assert tale.judged() == []


def test_another_value_at_an_acknowledged_offset() -> None:
    tale = sent()
    tale.send(15, 16, -1, b"x", b"y", outcome=Outcome.INFO)
    tale.read(40, 0, 4, tale.batch(0, b"x", b"y"), tale.batch(2, b"c", b"d"), final=True)
    assert tale.judged() == [kept.PROMISE]


def test_what_a_power_cut_keeps_is_a_prefix() -> None:
    tale = sent()
    tale.life(30, Life.POWER_CUT)
    tale.send(40, 41, 0, b"x", b"y")
    tale.read(
        50,
        0,
        4,
        tale.batch(0, b"x", b"y", epoch=1),
        tale.batch(2, b"c", b"d"),
        final=True,
    )
    assert kept.PROMISE in tale.judged()


# --- bytes never change


def test_bytes_that_change_without_a_reason() -> None:
    tale = Tale()
    tale.send(10, 90, -1, b"a", outcome=Outcome.INFO)
    tale.send(11, 90, -1, b"b", outcome=Outcome.INFO)
    tale.read(20, 0, 1, tale.batch(0, b"a"))
    tale.life(25, Life.KILLED)
    tale.read(30, 0, 1, tale.batch(0, b"b"), final=True)
    assert tale.judged() == [unchanged.PROMISE]


@pytest.mark.parametrize(("epoch", "broken"), [(1, []), (0, [unchanged.PROMISE])])
def test_after_a_power_cut_an_offset_is_written_again_in_a_newer_epoch(
    epoch: int, broken: list[str]
) -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a")
    tale.read(20, 0, 1, tale.batch(0, b"a"))
    tale.life(25, Life.POWER_CUT)
    tale.send(30, 32, 0, b"b")
    tale.read(40, 0, 1, tale.batch(0, b"b", epoch=epoch), final=True)
    assert tale.judged() == broken


def test_a_record_nobody_sent() -> None:
    tale = Tale()
    tale.read(20, 0, 1, tale.batch(0, b"?"), final=True)
    assert tale.judged() == [unchanged.PROMISE]


def test_a_record_whose_sending_failed() -> None:
    tale = Tale()
    tale.send(10, 12, -1, b"a", outcome=Outcome.FAIL)
    tale.read(20, 0, 1, tale.batch(0, b"a"), final=True)
    assert tale.judged() == [unchanged.PROMISE]


def test_a_record_of_a_later_topic() -> None:
    tale = Tale()
    tale.delete(5, 60)
    tale.create(61, 62, topic_id=ANOTHER_ID)
    tale.send(70, 72, 0, b"a", topic_id=ANOTHER_ID)
    tale.read(58, 0, 1, tale.batch(0, b"a"))
    tale.history.entries[-1].end(80_000, Outcome.OK)
    assert unchanged.PROMISE in tale.judged()


def test_a_record_of_an_earlier_topic() -> None:
    tale = Tale()
    tale.send(5, 6, 0, b"a")
    tale.delete(8, 10)
    tale.create(11, 12, topic_id=ANOTHER_ID)
    tale.history.entries[1].topics[TOPIC].topic_id = ANOTHER_ID
    tale.read(20, 0, 1, tale.batch(0, b"a"), topic_id=ANOTHER_ID, final=True)
    assert unchanged.PROMISE in tale.judged()


def test_a_time_that_is_not_the_producers() -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a")
    tale.read(20, 0, 1, tale.batch(0, b"a", times_ms=[5]), final=True)
    assert tale.judged() == [unchanged.PROMISE]


def test_a_time_that_is_not_the_one_acknowledged() -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a", append_ms=77)
    tale.read(20, 0, 1, tale.batch(0, b"a", times_ms=[78], log_append=True), final=True)
    assert tale.judged() == [unchanged.PROMISE]


def test_a_wrong_checksum_unless_a_fault_made_it_on_its_way() -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a")
    tale.read(20, 0, 1, tale.batch(0, b"a", crc_is_right=False), final=True)
    assert tale.judged() == [unchanged.PROMISE]
    tale.fault(15, "flip-log", "t-0/00000000000000000000.log")
    assert tale.judged() == [unchanged.PROMISE]
    tale = Tale()
    tale.send(10, 12, 0, b"a")
    tale.read(20, 0, 1, tale.batch(0, b"a", crc_is_right=False), final=True)
    tale.fault(20, "flip-log", "t-0/00000000000000000000.log")
    assert tale.judged() == []


@pytest.mark.parametrize(("flips", "broken"), [((15,), True), ((15, 16), False), ((15, 30), True)])
def test_one_flip_alone_moves_no_batch(flips: tuple[int, ...], broken: bool) -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a")
    tale.send(13, 14, 1, b"b")
    for at in flips:
        tale.flipped(at)
    tale.read(20, 0, 9, tale.batch(0, b"a"), tale.batch(8, b"b"), final=True)
    assert tale.judged() == ([unchanged.PROMISE] if broken else [])


# --- offsets without gaps


def test_a_gap_between_batches() -> None:
    tale = sent()
    tale.send(25, 26, 4, b"e")
    tale.read(40, 0, 5, tale.batch(0, b"a", b"b"), tale.batch(4, b"e"), final=True)
    assert tale.judged() == [gapless.PROMISE]


def test_a_read_that_begins_too_late_or_too_early() -> None:
    for asked in (1, 4):
        tale = sent()
        tale.read(40, asked, 4, tale.batch(2, b"c", b"d"), final=True)
        assert tale.judged() == [gapless.PROMISE]


def test_a_read_beyond_the_high_watermark_and_one_cut_inside_a_batch() -> None:
    tale = sent()
    tale.read(21, 0, 2, tale.batch(0, b"a", b"b"), tale.batch(2, b"c", b"d"), final=True)
    assert tale.judged() == [gapless.PROMISE]
    tale = sent()
    tale.read(40, 0, 4, tale.batch(0, b"a", b"b")).truncated = True
    assert tale.judged() == [gapless.PROMISE]


# --- order and idempotence


def test_a_later_batch_before_an_acknowledged_one() -> None:
    tale = Tale()
    tale.send(10, 12, 5, b"a")
    tale.send(20, 22, 3, b"b")
    assert tale.judged() == [producers.PROMISE]


def test_an_idempotent_batch_that_is_there_twice() -> None:
    tale = Tale()
    tale.send(10, 22, 0, b"a", producer_id=7, attempts=2)
    first = tale.batch(0, b"a", producer_id=7, sequence=0)
    second = tale.batch(1, b"a", producer_id=7, sequence=1)
    tale.read(40, 0, 2, first, second, final=True)
    assert tale.judged() == [producers.PROMISE]


@pytest.mark.parametrize(("attempts", "broken"), [(1, [producers.PROMISE]), (2, [])])
def test_without_idempotence_only_what_was_sent_once_is_there_once(
    attempts: int, broken: list[str]
) -> None:
    tale = Tale()
    tale.send(10, 22, 0, b"a", attempts=attempts)
    tale.read(40, 0, 2, tale.batch(0, b"a"), tale.batch(1, b"a"), final=True)
    assert tale.judged() == broken


@pytest.mark.parametrize(("life", "broken"), [(Life.KILLED, True), (Life.POWER_CUT, False)])
def test_a_gap_between_sequences(life: Life, broken: bool) -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a", producer_id=7)
    tale.life(15, life)
    tale.send(20, 22, 1, b"c", producer_id=7)
    first = tale.batch(0, b"a", producer_id=7, sequence=0)
    third = tale.batch(1, b"c", producer_id=7, sequence=2)
    tale.read(40, 0, 2, first, third, final=True)
    assert tale.judged() == ([producers.PROMISE] if broken else [])


@pytest.mark.parametrize(
    ("lost_at", "begin_offset", "broken"), [(15, 1, False), (15, 0, True), (50, 1, True)]
)
def test_a_producer_is_forgotten_only_with_what_told_of_its_deleted_batches(
    lost_at: int, begin_offset: int, broken: bool
) -> None:
    expected = [producers.PROMISE] if broken else []
    tale = Tale()
    tale.send(10, 12, 0, b"a", producer_id=7)
    tale.producers_lost(lost_at, begin_offset)
    tale.send(20, 22, 1, b"c", producer_id=7)
    first = tale.batch(0, b"a", producer_id=7, sequence=0)
    third = tale.batch(1, b"c", producer_id=7, sequence=2)
    tale.read(40, 0, 2, first, third, final=True)
    assert tale.judged() == expected
    tale = Tale()
    tale.send(10, 32, 1, b"a", producer_id=7, attempts=2)
    tale.producers_lost(lost_at, begin_offset)
    first = tale.batch(0, b"a", producer_id=7, sequence=0)
    again = tale.batch(1, b"a", producer_id=7, sequence=0)
    tale.read(40, 0, 2, first, again, final=True)
    assert tale.judged() == expected


def test_sequences_wrap() -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a", producer_id=7)
    tale.send(20, 22, 1, b"c", producer_id=7)
    first = tale.batch(0, b"a", producer_id=7, sequence=(1 << 31) - 1)
    second = tale.batch(1, b"c", producer_id=7, sequence=0)
    tale.read(40, 0, 2, first, second, final=True)
    assert tale.judged() == []


def test_a_batch_that_is_there_and_was_refused_when_it_came_again() -> None:
    tale = Tale()
    lost = Outcome.INFO
    tale.send(10, 90, -1, b"a", producer_id=7, attempts=2, outcome=lost, error=45)
    tale.read(100, 0, 1, tale.batch(0, b"a", producer_id=7, sequence=0), final=True)
    assert tale.judged() == [producers.PROMISE]
    tale.life(50, Life.KILLED)  # a start may forget all but a producer's last batch
    assert tale.judged() == []


def test_a_producer_that_was_forgotten_by_settings_may_write_again() -> None:
    tale = Tale()
    tale.send(10, 12, 0, b"a", producer_id=7, attempts=2)
    first = tale.batch(0, b"a", producer_id=7, sequence=0)
    second = tale.batch(1, b"a", producer_id=7, sequence=0)
    tale.read(40, 0, 2, first, second, final=True)
    assert tale.judged() == [producers.PROMISE]
    assert judge(tale.history, producers_expire=True) == []


# --- watermarks


@pytest.mark.parametrize(
    ("flush_on_ack", "life", "broken"),
    [
        (False, Life.KILLED, True),
        (False, Life.POWER_CUT, False),
        (True, Life.POWER_CUT, True),
    ],
)
def test_a_high_watermark_that_goes_back(flush_on_ack: bool, life: Life, broken: bool) -> None:
    tale = Tale(flush_on_ack=flush_on_ack)
    tale.read(20, 3, 3)
    tale.life(30, life)
    tale.read(40, 1, 1, final=True)
    assert tale.judged() == ([watermarks.PROMISE] if broken else [])


def test_a_log_start_that_goes_back_after_a_kill() -> None:
    tale = sent()
    tale.delete_before(30, 2, 2)
    tale.life(35, Life.KILLED)
    tale.look_up(40, -2, 0)
    assert tale.judged() == [watermarks.PROMISE]
    tale.life(36, Life.POWER_CUT)
    tale.flushed(34, 4)
    assert tale.judged() == []


def test_a_log_start_that_nobody_asked_for() -> None:
    tale = sent()
    tale.delete_before(30, 1, 1)
    tale.read(40, 2, 4, tale.batch(2, b"c", b"d"), start=2, final=True)
    assert tale.judged() == [watermarks.PROMISE]
    tale.history.retention = True
    assert tale.judged() == []


def test_records_that_were_not_deleted() -> None:
    tale = sent()
    tale.delete_before(30, 2, 1)
    assert tale.judged() == [watermarks.PROMISE]


# --- times


@pytest.mark.parametrize(
    ("asked_ms", "offset", "found_ms", "broken"),
    [
        (1_015, 2, 1_020, False),
        (1_015, 3, 1_020, True),  # an earlier one is as good
        (1_015, -1, -1, True),  # there is one
        (1_015, 2, 1_021, True),  # that is not its time
        (1_015, 1, 1_010, True),  # too early
        (1_021, -1, -1, False),
        (-3, 2, 1_020, False),
        (-3, 3, 1_020, True),  # the first that has it
        (-3, 0, 1_010, True),
        (-3, -1, -1, True),
    ],
)
def test_look_ups(asked_ms: int, offset: int, found_ms: int, broken: bool) -> None:
    tale = sent()
    tale.read(40, 0, 4, tale.batch(0, b"a", b"b"), tale.batch(2, b"c", b"d"), final=True)
    tale.look_up(50, asked_ms, offset, found_ms)
    assert tale.judged() == ([times.PROMISE] if broken else [])


def test_a_look_up_need_not_find_what_was_deleted() -> None:
    tale = sent()
    tale.delete_before(30, 2, 2)
    tale.read(45, 2, 4, tale.batch(2, b"c", b"d"), start=2, final=True)
    tale.look_up(50, 1_000, 2, 1_020)
    assert tale.judged() == []


# --- topics


def test_a_topic_that_is_gone_after_a_restart() -> None:
    tale = Tale()
    tale.life(20, Life.POWER_CUT)
    tale.listed(30, {})
    assert tale.judged() == [topics.PROMISE]


def test_a_topic_with_half_its_partitions() -> None:
    tale = Tale()
    tale.create(20, 90, topic="u", partitions=4, outcome=Outcome.INFO)
    tale.listed(30, {TOPIC: TopicSeen(TOPIC_ID, 1, 0), "u": TopicSeen(ANOTHER_ID, 4, 0)})
    assert tale.judged() == []
    tale.listed(31, {TOPIC: TopicSeen(TOPIC_ID, 1, 0), "u": TopicSeen(ANOTHER_ID, 3, 0)})
    assert tale.judged() == [topics.PROMISE]


def test_a_growth_that_is_forgotten() -> None:
    tale = Tale()
    tale.grow(20, 22, 3)
    tale.listed(30, {TOPIC: TopicSeen(TOPIC_ID, 1, 0)})
    tale.history.entries = [one for one in tale.history.entries if one.asked_us != 9_000_000]
    assert topics.PROMISE in tale.judged()


def test_an_id_that_is_listed_or_read_after_its_deletion() -> None:
    tale = Tale()
    tale.delete(20, 22)
    tale.history.entries = [one for one in tale.history.entries if one.asked_us != 9_000_000]
    tale.listed(9_001, {}, final=True)
    assert tale.judged() == []
    tale.read(30, 0, 0, final=True)
    assert tale.judged() == [topics.PROMISE]
    tale.history.entries.pop()
    tale.listed(31, {TOPIC: TopicSeen(TOPIC_ID, 1, 0)})
    assert tale.judged() == [topics.PROMISE]


def test_a_producer_id_that_is_given_twice() -> None:
    tale = Tale()
    tale.producer_id(20, 7)
    tale.producer_id(30, 8)
    assert tale.judged() == []
    tale.producer_id(40, 7)
    assert tale.judged() == [topics.PROMISE]


def test_a_partition_without_a_leader_at_the_end() -> None:
    tale = Tale()
    tale.listed(9_001, {TOPIC: TopicSeen(TOPIC_ID, 1, 1)}, final=True)
    assert tale.judged() == [topics.PROMISE]


# --- answers


def test_what_was_never_answered() -> None:
    tale = Tale()
    tale.closed(9_100, 0)
    assert tale.judged() == []
    tale.closed(9_100, 1)
    assert tale.judged() == [answers.PROMISE]


def test_a_world_that_breaks_or_does_not_end() -> None:
    assert Tale(ended=False).judged() == [answers.PROMISE]
    tale = Tale()
    tale.history.broken.append("an invariant does not hold")
    assert tale.judged() == [answers.SOUND]


def test_a_last_reading_that_stops_early() -> None:
    tale = sent()
    tale.read(40, 0, 4, tale.batch(0, b"a", b"b"), final=True)
    assert tale.judged() == [answers.PROMISE]


# --- sessions


def test_a_session_that_is_not_told_of_a_high_watermark() -> None:
    tale = sent()
    tale.read(30, 4, 4, session=5, epoch=0)
    tale.send(31, 32, 4, b"e")
    tale.read(33, 4, 5, tale.batch(4, b"e"), final=True)
    tale.read(35, 5, 0, session=5, epoch=1, left_out=True)
    assert tale.judged() == [sessions.PROMISE]


def test_a_partition_that_is_starved() -> None:
    tale = sent()
    tale.read(29, 0, 4, tale.batch(0, b"a", b"b"), tale.batch(2, b"c", b"d"), final=True)
    tale.read(30, 0, 4, session=5, epoch=0)
    for turn in range(1, 4):
        tale.read(30 + turn, 0, 0, session=5, epoch=turn, left_out=True)
    assert tale.judged() == []
    for turn in range(4, 9):
        tale.read(30 + turn, 0, 0, session=5, epoch=turn, left_out=True)
    assert tale.judged() == [sessions.PROMISE]


def test_what_was_written_where_another_was_lost_tells_no_sequence() -> None:
    """Sights of two lives lie over each other: the second began at 0 again."""
    tale = Tale()
    tale.send(10, 12, 0, b"a", producer_id=7)
    tale.send(14, 15, 1, b"unseen", producer_id=7)
    tale.send(20, 22, 2, b"c", b"d", producer_id=7)
    tale.read(30, 0, 4, tale.batch(0, b"a", producer_id=7, sequence=0))
    tale.read(35, 2, 4, tale.batch(2, b"c", b"d", producer_id=7, sequence=2))
    tale.life(40, Life.POWER_CUT)
    tale.send(50, 52, 0, b"e", b"f", b"g", producer_id=8)
    again = tale.batch(0, b"e", b"f", b"g", producer_id=8, sequence=0, epoch=1)
    tale.read(60, 0, 3, again, final=True)
    assert tale.judged() == []
