"""Where each leader epoch ends (KIP-101, KIP-279), and that the file always says the same."""

from random import Random

import pytest

from ottla.core.log import checkpoint
from ottla.core.log.epoch_history import EpochHistory
from tests.unit.fakes.disk import MemoryDisk


def history(*entries: tuple[int, int]) -> EpochHistory:
    disk = MemoryDisk()
    disk.make_directory("t-0")
    return EpochHistory(disk, "t-0", list(entries))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (-1, (-1, -1)),
        (0, (0, 10)),  # older than all: itself, and where the first one begins
        (1, (1, 10)),
        (2, (2, 20)),
        (3, (2, 20)),  # between two: the earlier one
        (4, (2, 20)),
        (5, (5, 30)),
        (7, (7, 99)),
        (8, (-1, -1)),
    ],
)
def test_where_an_epoch_ends(asked: int, answer: tuple[int, int]) -> None:
    assert history((2, 10), (5, 20), (7, 30)).end_of(asked, 99) == answer


def test_an_unknown_history_answers_nothing() -> None:
    assert history().end_of(0, 5) == (-1, -1)
    assert history().last_epoch == -1


@pytest.mark.parametrize(
    ("epoch", "start", "after"),
    [
        (7, 40, [(2, 10), (5, 20), (7, 30)]),
        (7, 25, [(2, 10), (5, 20), (7, 25)]),
        (8, 40, [(2, 10), (5, 20), (7, 30), (8, 40)]),
        (8, 30, [(2, 10), (5, 20), (8, 30)]),
        (8, 15, [(2, 10), (8, 15)]),
        (6, 40, [(6, 40)]),
        (6, 30, [(2, 10), (5, 20), (6, 30)]),
        (-1, 40, [(2, 10), (5, 20), (7, 30)]),
    ],
)
def test_a_new_epoch_removes_what_contradicts_it(
    epoch: int, start: int, after: list[tuple[int, int]]
) -> None:
    epochs = history((2, 10), (5, 20), (7, 30))
    epochs.assign(epoch, start)
    assert epochs.entries() == after


def test_a_history_is_cut_at_both_ends() -> None:
    epochs = history((2, 10), (5, 20), (7, 30))
    epochs.truncate_prefix(15)
    assert epochs.entries() == [(2, 15), (5, 20), (7, 30)]
    epochs.truncate_prefix(20)
    assert epochs.entries() == [(5, 20), (7, 30)]
    epochs.truncate_prefix(33)
    assert epochs.entries() == [(7, 33)]
    assert epochs.epoch_of(32) == -1
    assert epochs.epoch_of(33) == 7
    epochs = history((2, 10), (5, 20), (7, 30))
    epochs.truncate_to(31)
    assert epochs.last_epoch == 7
    epochs.truncate_to(30)
    assert epochs.last_epoch == 5
    epochs.truncate_to(0)
    assert epochs.entries() == []


def test_the_file_says_what_the_history_says() -> None:
    random = Random(4)
    disk = MemoryDisk()
    disk.make_directory("t-0")
    epochs = EpochHistory(disk, "t-0", [])
    end = 0
    for at in range(300):
        end += random.randint(0, 5)
        match random.randint(0, 3):
            case 0:
                end = max(0, end - 9)
                epochs.truncate_to(end)
            case 1:
                epochs.truncate_prefix(random.randint(0, end))
            case _:
                epochs.assign(epochs.last_epoch + random.randint(0, 2), end)
        epochs.check_invariants(end)
        data = disk.files().get(epochs.path)
        if data is not None:
            assert checkpoint.parse_epochs("x", data) == epochs.entries(), at


def test_an_older_epoch_that_writes_behind_a_newer_one_begins_the_history_anew() -> None:
    known = history((0, 0), (3, 10), (5, 12))
    known.assign(3, 13)
    assert known.entries() == [(3, 13)]
    assert [known.stretch_of(offset) for offset in (9, 12, 13)] == [
        (-1, 13),
        (-1, 13),
        (3, 1 << 63),
    ]
    known.assign(4, 14)
    assert known.entries() == [(3, 13), (4, 14)]
    known.check_invariants(14)


def test_a_presumed_epoch_is_taken_back_when_the_leader_is_of_an_older_one() -> None:
    for leader_epoch, after in (
        (3, [(0, 0), (3, 10)]),
        (1 << 24, [(0, 0), (3, 10), (1 << 24, 12)]),
    ):
        for is_presumed in (True, False):
            known = history((0, 0), (3, 10), (1 << 24, 12))
            known.is_presumed = is_presumed
            known.settle(leader_epoch)
            whole = [(0, 0), (3, 10), (1 << 24, 12)]
            assert known.entries() == (after if is_presumed else whole)
            known.settle(0)
            assert known.entries() == (after if is_presumed else whole)
