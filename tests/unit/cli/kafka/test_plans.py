"""JSON files that say which partitions, and what a reassignment does with them."""

import pytest

from ottla.cli.kafka.plans import (
    Wanted,
    offsets_untrusted,
    places_untrusted,
    reassignment_untrusted,
    topics_untrusted,
)
from ottla.cli.kafka.reassignment import (
    FOLLOWER_THROTTLED,
    LEADER_THROTTLED,
    Directories,
    Ongoing,
    Replica,
    alternated,
    as_json,
    check_plan,
    is_moving,
    list_lines,
    move_lines,
    moves,
    propose,
    status_lines,
    throttles,
)
from ottla.errors import LocalProtocolError
from ottla.types import TopicPartition

P0, P1, P2 = (TopicPartition("t", number) for number in range(3))


def one(rest: str) -> str:
    return '{"version":1,"partitions":[{"topic":"t","partition":0' + rest + "}]}"


def test_plans_are_read() -> None:
    assert offsets_untrusted(one(',"offset":7')) == {P0: 7}
    assert places_untrusted(one("")) == [P0]
    assert topics_untrusted('{"topics":[{"topic":"a"},{"topic":"b"}]}') == ["a", "b"]
    assert reassignment_untrusted(one(',"replicas":[2,1]')) == [Wanted(P0, (2, 1), ("any", "any"))]
    there = reassignment_untrusted(one(',"replicas":[2],"log_dirs":["/d"]'))
    assert there == [Wanted(P0, (2,), ("/d",))]
    with pytest.raises(LocalProtocolError, match="is different from size of log dirs list"):
        reassignment_untrusted(one(',"replicas":[2],"log_dirs":[]'))


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("{", "The input string is not a valid JSON"),
        ("[]", "not a JSON object"),
        ('{"version":2}', "Not supported version field value 2"),
        ("{}", "Missing partitions field"),
        ('{"partitions":7}', "partitions: a list is expected"),
        ('{"partitions":[7]}', "objects are expected, 7 is none"),
        ('{"partitions":[{"partition":0,"offset":0}]}', "topic: a string is expected"),
        (
            '{"partitions":[{"topic":"t","partition":"0","offset":0}]}',
            "partition: a whole number is expected",
        ),
        (
            '{"partitions":[{"topic":"t","partition":true,"offset":0}]}',
            "partition: a whole number is expected",
        ),
        (
            (
                '{"partitions":[{"topic":"t","partition":0,"offset":0},'
                '{"topic":"t","partition":0,"offset":1}]}'
            ),
            "Offset json file contains duplicate topic partitions: t-0",
        ),
    ],
)
def test_plans_that_make_no_sense_are_refused(text: str, refusal: str) -> None:
    with pytest.raises(LocalProtocolError, match=refusal):
        offsets_untrusted(text)


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ([], "list cannot be empty"),
        ([Wanted(P0, (), ())], "replica list cannot be empty"),
        ([Wanted(P0, (1,), ("any",))] * 2, "contains duplicate topic partitions: t-0"),
        ([Wanted(P0, (1, 1), ("any", "any"))], "t-0 contains multiple entries for 1"),
    ],
)
def test_reassignments_that_make_no_sense_are_refused(wanted: list[Wanted], refusal: str) -> None:
    with pytest.raises(LocalProtocolError, match=refusal):
        check_plan(wanted)


def test_a_proposal_spreads_leaders_and_replicas() -> None:
    places = [TopicPartition("t", number) for number in range(9)]
    found = propose(dict.fromkeys(places, (7, 8)), {1: None, 2: None, 3: None}, 1)
    assert [found[place][0] for place in places] == [2, 3, 1] * 3
    assert all(len(set(ids)) == 2 for ids in found.values())
    for broker in (1, 2, 3):
        assert sum(broker in ids for ids in found.values()) == 6
    with pytest.raises(LocalProtocolError, match="larger than available brokers: 1"):
        propose({P0: (1, 2)}, {1: None}, 0)


def test_a_proposal_uses_every_rack_before_one_twice() -> None:
    racks = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c", 6: "c"}
    assert alternated(racks) == [1, 3, 5, 2, 4, 6]
    places = [TopicPartition("t", number) for number in range(12)]
    for ids in propose(dict.fromkeys(places, (1, 2, 3)), racks, 0).values():
        assert {racks[one] for one in ids} == {"a", "b", "c"}


def test_throttles_are_on_sources_and_new_replicas() -> None:
    ongoing = {P1: Ongoing((1, 2, 3), (3,), (1,))}
    topics, brokers = throttles({P0: (2, 3)}, {P0: (1, 2)}, ongoing)
    assert topics == {"t": {LEADER_THROTTLED: "0:1,0:2,1:1,1:2", FOLLOWER_THROTTLED: "0:3,1:3"}}
    assert brokers == [1, 2, 3]


def test_a_plan_is_told_as_it_is_read() -> None:
    text = as_json({P1: (2,), P0: (1,)}, {Replica(1, P0): "/d"})
    assert text == (
        '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["/d"]},'
        '{"topic":"t","partition":1,"replicas":[2],"log_dirs":["any"]}]}'
    )
    assert reassignment_untrusted(text)[0] == Wanted(P0, (1,), ("/d",))


def test_what_is_being_moved_is_told() -> None:
    assert list_lines({}) == ["No partition reassignments found."]
    assert list_lines({P0: Ongoing((1, 2), (2,), (1,)), P1: Ongoing((1,), (), ())}) == [
        "Current partition reassignments:",
        "t-0: replicas: 1,2. adding: 2. removing: 1.",
        "t-1: replicas: 1.",
    ]


def test_how_far_a_plan_is() -> None:
    wanted = [Wanted(place, (1, 2), ("any", "any")) for place in (P2, P1, P0)]
    current = {P0: (1, 2), P1: (2, 1)}
    assert status_lines(wanted, current, {P2: Ongoing((1,), (1,), ())}) == [
        "Status of partition reassignment:",
        "Reassignment of partition t-0 is completed.",
        "There is no active reassignment of partition t-1, but replica set is 2,1 rather than 1,2.",
        "Reassignment of partition t-2 is still in progress.",
    ]


@pytest.mark.parametrize(
    ("where", "told", "moving"),
    [
        (None, "Partition t-0 is not found in any live log dir on broker 1", False),
        (Directories("/d", None), "Reassignment of replica t-0-1 completed successfully.", False),
        (Directories("/a", "/d"), "Reassignment of replica t-0-1 is still in progress.", True),
        (Directories("/a", "/b"), "is being moved to log dir /b instead of /d.", True),
        (Directories("/a", None), "is not being moved from log dir /a to /d.", False),
    ],
)
def test_how_far_a_move_between_directories_is(
    where: Directories | None, told: str, moving: bool
) -> None:
    targets = moves([Wanted(P0, (1, 2), ("/d", "any"))])
    found = {} if where is None else {Replica(1, P0): where}
    (line,) = move_lines(targets, found)
    assert told in line
    assert is_moving(targets, found) is moving
