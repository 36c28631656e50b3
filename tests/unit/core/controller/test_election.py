"""Who leads, in every situation a start can find a partition in."""

import pytest

from ottla.core.controller.election import elect
from ottla.core.metadata.image import PartitionImage

ME = 1


def partition(
    leader: int,
    isr: tuple[int, ...],
    elr: tuple[int, ...] = (),
    last: tuple[int, ...] = (),
    replicas: tuple[int, ...] = (1, 2, 3),
) -> PartitionImage:
    return PartitionImage(
        replicas=replicas,
        isr=isr,
        leader=leader,
        leader_epoch=4,
        partition_epoch=4,
        directories=(),
        elr=elr,
        last_known_elr=last,
    )


CASES = {
    # name: partition, active, unclean, (leader, isr, elr, last known) as they change
    "led and alive": (partition(1, (1, 2, 3)), {1, 2, 3}, False, None),
    "led, others away": (partition(1, (1, 2, 3)), {1}, False, (None, (1,), None, None)),
    "no leader, in sync": (partition(-1, (1,)), {1}, False, (1, None, None, None)),
    "leader away": (partition(2, (2, 1)), {1}, False, (1, (1,), None, None)),
    "preferred first": (partition(-1, (3, 2)), {2, 3}, False, (2, None, None, None)),
    "out of sync": (partition(2, (2,)), {1}, False, (-1, None, None, None)),
    "out of sync, unclean": (partition(2, (2,)), {1}, True, (1, (1,), None, None)),
    "eligible": (partition(-1, (), (1,), (1,)), {1}, False, (1, (1,), (), ())),
    "eligible, one of two": (partition(-1, (), (2, 1)), {1}, False, (1, (1,), (2,), None)),
    "not eligible while one is in sync": (partition(-1, (2,), (1,)), {1}, False, None),
    "last known": (partition(-1, (), (), (1,)), {1}, False, (1, (1,), None, ())),
    "last known, but others are eligible": (partition(-1, (), (2,), (1,)), {1}, False, None),
    "last known of several": (partition(-1, (), (), (1, 2)), {1}, False, None),
    "nobody is left": (partition(-1, (), ()), {1}, False, None),
    "nobody is left, unclean": (partition(-1, ()), {1}, True, (1, (1,), None, None)),
}


@pytest.mark.parametrize("name", CASES)
def test_election(name: str) -> None:
    before, active, unclean, expected = CASES[name]
    change = elect(before, active, unclean=unclean, anew=False)
    if expected is None:
        assert change is None
    else:
        assert change is not None
        assert (change.leader, change.isr, change.elr, change.last_known_elr) == expected


def test_anew_begins_an_epoch_though_the_leader_stays() -> None:
    change = elect(partition(1, (1,)), {1}, unclean=False, anew=True)
    assert change is not None
    assert (change.leader, change.isr) == (1, None)
    assert change.record(b"A" * 16, 3).leader == 1


def test_anew_does_not_begin_epochs_that_nobody_leads() -> None:
    assert elect(partition(-1, (2,)), {1}, unclean=False, anew=True) is None
