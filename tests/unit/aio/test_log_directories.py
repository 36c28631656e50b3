"""Several log directories of one broker: claimed together, each with its own identity and end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.disk import SystemEntropy
from ottla.aio.log_directories import LogDirectories
from ottla.aio.log_directory import CannotStart
from ottla.core.log.recovery import Shutdown
from ottla.settings.broker import BrokerSettings, broker_settings
from ottla.settings.parse import Resolved

MARKER = ".kafka_cleanshutdown"


def settings(*paths: Path, metadata: Path | None = None) -> BrokerSettings:
    given = {
        "log.dirs": Resolved(",".join(map(str, paths))),
        "listeners": Resolved("PLAINTEXT://127.0.0.1:0"),
    }
    if metadata is not None:
        given["metadata.log.dir"] = Resolved(str(metadata))
    return broker_settings(given)


class Opened:
    """`LogDirectories`, released at the end of the test."""

    def __init__(self) -> None:
        self.all: list[LogDirectories] = []

    def __call__(self, *paths: Path, metadata: Path | None = None) -> LogDirectories:
        one = LogDirectories(settings(*paths, metadata=metadata))
        one.claim()
        try:
            one.open(
                SystemEntropy(),
                node_id=1,
                cluster_id=None,
                files_max=64,
                outcome=lambda flushed: None,
            )
        except CannotStart:
            one.release_locks()
            raise
        self.all.append(one)
        return one


@pytest.fixture
def opened() -> Iterator[Opened]:
    opener = Opened()
    yield opener
    for one in opener.all:
        one.release(set(), -1)


def identity(path: Path) -> dict[str, str]:
    lines = (path / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def paths(tmp_path: Path) -> tuple[Path, Path, Path]:
    return tmp_path / "a", tmp_path / "b", tmp_path / "c"


def test_all_are_of_one_node_and_cluster_and_each_has_its_own_id(
    tmp_path: Path, opened: Opened
) -> None:
    a, b, c = paths(tmp_path)
    directories = opened(a, b, c)
    assert len({identity(one)["cluster.id"] for one in (a, b, c)}) == 1
    assert len({identity(one)["directory.id"] for one in (a, b, c)}) == 3
    assert [one.path for one in directories.others()] == [str(b), str(c)]
    assert directories.first.path == str(a)
    assert directories.keeps_partitions


def test_a_new_directory_joins_the_cluster_of_the_others(tmp_path: Path, opened: Opened) -> None:
    a, b, c = paths(tmp_path)
    opened(b).release(set(), -1)
    opened.all.clear()
    cluster_id = identity(b)["cluster.id"]
    opened(a, b, c)
    assert [identity(one)["cluster.id"] for one in (a, b, c)] == [cluster_id] * 3


def test_the_metadata_log_may_have_a_directory_of_its_own(tmp_path: Path, opened: Opened) -> None:
    a, b, c = paths(tmp_path)
    directories = opened(a, b, metadata=c)
    assert directories.first.path == str(c)
    assert not directories.keeps_partitions
    assert [one.path for one in directories.others()] == [str(a), str(b)]


def test_the_metadata_log_is_found_again_when_it_is_not_in_the_first_one(
    tmp_path: Path, opened: Opened
) -> None:
    a, b, _ = paths(tmp_path)
    opened(b).release(set(), -1)
    opened.all.clear()
    (b / "__cluster_metadata-0").mkdir()
    with pytest.raises(CannotStart, match=f"Set metadata.log.dir={b}"):
        opened(a, b)
    assert not (a / "meta.properties").exists()
    opened(a, b, metadata=b)


def test_each_has_its_own_marker_of_a_clean_stop(tmp_path: Path, opened: Opened) -> None:
    a, b, _ = paths(tmp_path)
    directories = opened(a, b)
    opened.all.clear()
    directories.note_boot()
    assert directories.sync(lambda number: number == 0) == {0}
    directories.release({0}, 7)
    assert [(one / MARKER).exists() for one in (a, b)] == [True, False]
    again = opened(a, b)
    assert [one.shutdown for one in again] == [Shutdown.CLEAN, Shutdown.KILLED]


def test_two_with_one_id_are_a_copy(tmp_path: Path, opened: Opened) -> None:
    a, b, _ = paths(tmp_path)
    opened(a).release(set(), -1)
    opened.all.clear()
    b.mkdir()
    (b / "meta.properties").write_bytes((a / "meta.properties").read_bytes())
    with pytest.raises(CannotStart, match=r"one directory\.id"):
        opened(a, b)


def test_one_of_another_cluster_is_refused_and_all_are_free_again(
    tmp_path: Path, opened: Opened
) -> None:
    a, b, _ = paths(tmp_path)
    for one in (a, b):
        opened(one).release(set(), -1)
    opened.all.clear()
    with pytest.raises(CannotStart, match="one broker's directories are of one cluster"):
        opened(a, b)
    opened(a)


def test_one_in_use_is_refused_and_all_are_free_again(tmp_path: Path, opened: Opened) -> None:
    a, b, c = paths(tmp_path)
    opened(b)
    with pytest.raises(CannotStart, match="already served"):
        LogDirectories(settings(a, b, c)).claim()
    opened(a, c)


def test_one_that_cannot_be_opened_is_offline_unless_it_is_the_first(
    tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = paths(tmp_path)
    b.write_text("a file, where a directory should be")
    directories = opened(a, b, c)
    first, second = directories.others()
    assert (first.path, first.disk) == (str(b), None)
    assert second.disk is not None
    assert "log directory is offline" in caplog.text
    with pytest.raises(CannotStart, match="cannot be used for data"):
        LogDirectories(settings(b, a)).claim()


def test_a_broker_over_two_directories_stops_cleanly_in_both(tmp_path: Path) -> None:
    a, b, _ = paths(tmp_path)

    async def scenario() -> None:
        for _ in range(2):
            broker = Broker(settings(a, b), given={})
            await broker.start()
            assert not (b / MARKER).exists()
            assert await broker.stop()
            assert [(one / MARKER).exists() for one in (a, b)] == [True, True]

    asyncio.run(scenario())
