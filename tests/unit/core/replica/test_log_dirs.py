"""Which log directory a partition lives in, when several could be it."""

import logging

import pytest
from tests.unit.core.replica.house import NOW_MS, House, directory_id_of, partition_image
from tests.unit.fakes.disk import MemoryDisk

from ottla.core.log.recovery import Shutdown
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode


def house_of_three(**settings: str) -> House:
    return House(others=[MemoryDisk(NOW_MS), MemoryDisk(NOW_MS)], settings=settings)


def places(house: House, topic: str, partitions: int) -> list[int]:
    return [house.leader(topic, number).log_dir for number in range(partitions)]


def test_a_partition_is_made_where_the_metadata_says() -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(number)) for number in (2, 0, 1)])
    assert places(house, "t", 3) == [2, 0, 1]
    assert house.table.moves.told == {}


def test_where_nobody_says_it_goes_where_the_fewest_are_and_is_told() -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(0)) for _ in range(2)])
    topic_id = house.create("u", 4)
    assert places(house, "u", 4) == [1, 2, 1, 2]
    assert house.table.moves.told == {
        (topic_id, number): directory_id_of(place) for number, place in enumerate([1, 2, 1, 2])
    }


def test_it_is_where_its_files_are_whatever_the_metadata_says() -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(2))])
    topic = house.image.topics["t"]
    wrong = partition_image(directory=directory_id_of(1), leader_epoch=1)
    house.change("t", 0, wrong)
    again = house.restarted(Shutdown.KILLED)
    assert places(again, "t", 1) == [2]
    assert again.table.moves.told == {(topic.topic_id, 0): directory_id_of(2)}


def test_of_two_that_have_it_the_one_that_the_metadata_names_is_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As after a move that was cut off behind its last step."""
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(2))])
    other = house.others[0]
    assert other is not None
    found = house.disk_of(2).files()
    other.make_directory("t-0")
    for path, data in found.items():
        if path.startswith("t-0/"):
            other.put(path, data)
    with caplog.at_level(logging.WARNING):
        again = house.restarted(Shutdown.KILLED)
    assert places(again, "t", 1) == [2]
    (aside,) = [name for name in again.disk_of(1).names("") if name.startswith("t-0")]
    assert aside.endswith("-stray")


@pytest.mark.parametrize("named", [directory_id_of(2), bytes(15) + b"\x01"])
def test_it_is_not_made_anew_while_a_directory_is_away(named: bytes) -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(2))])
    house.change("t", 0, partition_image(directory=named, leader_epoch=1))
    house.others[1] = None
    away = house.restarted(Shutdown.KILLED)
    assert away.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
    assert [away.disk_of(number).names("") for number in range(2)] == [[], []]
    away.create("u", 2)
    assert places(away, "u", 2) == [0, 1]


def test_a_directory_of_another_topic_of_that_name_is_no_reason_to_go_there() -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(1))])
    house.image = type(house.image)()
    again = house.restarted(Shutdown.KILLED)
    again.create("t", [partition_image(directory=directory_id_of(2))], topic_id=b"n" * 16)
    assert places(again, "t", 1) == [2]


def test_a_failed_directory_takes_no_new_partitions() -> None:
    house = house_of_three()
    house.table.go_offline("EIO", NOW_MS, 1)
    house.create("t", 4)
    assert places(house, "t", 4) == [0, 2, 0, 2]
    house.create("u", [partition_image(directory=directory_id_of(1))])
    assert house.table.leader("u", 0) is ErrorCode.KAFKA_STORAGE_ERROR
    assert isinstance(house.table.leader("t", 0), Leader)
    assert not house.table.is_offline
    house.table.go_offline("EIO", NOW_MS, 0)
    house.table.go_offline("EIO", NOW_MS, 2)
    assert house.table.is_offline


def test_while_its_home_is_away_a_copy_elsewhere_is_neither_served_nor_a_stray() -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(2))])
    home, house.others[1] = house.others[1], None
    other = house.others[0]
    assert other is not None
    other.make_directory("t-0")
    other.put("t-0/00000000000000000000.log", b"")
    away = house.restarted(Shutdown.KILLED)
    assert away.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
    assert away.disk_of(1).names("") == ["t-0"]
    away.others[1] = home
    back = away.restarted(Shutdown.KILLED)
    assert places(back, "t", 1) == [2]
    (aside,) = back.disk_of(1).names("")
    assert aside.endswith("-stray")


@pytest.mark.parametrize("is_empty", [True, False])
def test_what_stands_in_the_target_of_a_move_makes_room(is_empty: bool) -> None:
    house = house_of_three()
    house.create("t", [partition_image(directory=directory_id_of(2))])
    disk = house.disk_of(1)
    disk.make_directory("t-0")
    if not is_empty:
        disk.put("t-0/00000000000000000000.log", b"of long ago")
    house.table.move(house.leader("t", 0), house.table.dirs[1], NOW_MS)
    house.table.tick(NOW_MS)
    suffixes = sorted(name.rpartition("-")[2] for name in disk.names(""))
    assert suffixes == (["future"] if is_empty else ["future", "stray"])
