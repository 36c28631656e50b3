"""Whose a data directory is, that one process has it, and how its last user ended."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.aio import log_directory
from ottla.aio.disk import SystemEntropy
from ottla.aio.log_directory import CannotStart, LogDirectory, claim
from ottla.core.log.recovery import Shutdown
from ottla.types import uuid_to_text

KAFKA_IDENTITY = (
    "#\n#Mon Jan 05 10:00:00 UTC 2026\n"
    "cluster.id=5L6g3nShT-eMCtK--X86sw\ndirectory.id=mYl3vPqTQeWpZ0yq0m1Fzg\nnode.id=3\nversion=1\n"
)


@pytest.fixture
def claimed() -> Iterator[list[LogDirectory]]:
    claims: list[LogDirectory] = []
    yield claims
    for one in claims:
        one.release()


def identified(
    path: Path,
    claimed: list[LogDirectory],
    node_id: int | None = None,
    cluster_id: str | None = None,
) -> LogDirectory:
    directory = claim(str(path))
    claimed.append(directory)
    directory.identify(SystemEntropy(), node_id=node_id, cluster_id=cluster_id)
    return directory


def test_a_new_directory_gets_an_identity(tmp_path: Path, claimed: list[LogDirectory]) -> None:
    directory = identified(tmp_path / "new" / "data", claimed, node_id=7)
    assert (directory.is_new, directory.node_id) == (True, 7)
    assert re.fullmatch(r"[\w-]{22}", directory.cluster_id)
    text = (tmp_path / "new" / "data" / "meta.properties").read_text()
    assert text == (
        f"#\ncluster.id={directory.cluster_id}\n"
        f"directory.id={uuid_to_text(directory.directory_id)}\nnode.id=7\nversion=1\n"
    )
    assert os.stat(tmp_path / "new" / "data").st_mode & 0o777 == 0o700


def test_an_identity_is_kept(tmp_path: Path, claimed: list[LogDirectory]) -> None:
    first = identified(tmp_path, claimed)
    first.release()
    second = identified(tmp_path, claimed)
    assert not second.is_new
    assert (second.node_id, second.cluster_id) == (first.node_id, first.cluster_id)
    assert second.directory_id == first.directory_id


def test_a_directory_of_apache_kafka_is_taken_as_it_is(
    tmp_path: Path, claimed: list[LogDirectory]
) -> None:
    (tmp_path / "meta.properties").write_text(KAFKA_IDENTITY)
    directory = identified(tmp_path, claimed, node_id=3)
    assert directory.cluster_id == "5L6g3nShT-eMCtK--X86sw"
    assert uuid_to_text(directory.directory_id) == "mYl3vPqTQeWpZ0yq0m1Fzg"
    assert (tmp_path / "meta.properties").read_text() == KAFKA_IDENTITY


def test_a_missing_directory_id_is_added(tmp_path: Path, claimed: list[LogDirectory]) -> None:
    (tmp_path / "meta.properties").write_text("version=1\nnode.id=3\ncluster.id=abc\n")
    directory = identified(tmp_path, claimed)
    assert (
        f"directory.id={uuid_to_text(directory.directory_id)}\n"
        in (tmp_path / "meta.properties").read_text()
    )


@pytest.mark.parametrize(
    ("text", "node_id", "cluster_id", "said"),
    [
        (KAFKA_IDENTITY, 1, None, "belongs to node 3, but node.id is 1. Set node.id=3"),
        (KAFKA_IDENTITY, 3, "other", "belongs to cluster 5L6g3nShT-eMCtK--X86sw, but .* other"),
        ("version=0\nbroker.id=1\n", 1, None, "ZooKeeper"),
        ("version=9\n", 1, None, "version: 9 stands there, 1 is expected"),
        ("node.id=1\n", 1, None, "version: nothing stands there"),
        ("version=1\nnode.id=x\n", 1, None, "node.id: 'x' is not a node's id"),
        ("version=1\nnode.id=1\n", 1, None, "cluster.id: the id of a cluster is missing"),
        ("version=1\nnode.id=1\ncluster.id=a\ndirectory.id=b\n", 1, None, "'b' is not a uuid"),
        ("version=\\u12", 1, None, "not a properties file"),
    ],
)
def test_a_wrong_identity_is_refused_with_both_values(
    tmp_path: Path,
    claimed: list[LogDirectory],
    text: str,
    node_id: int,
    cluster_id: str | None,
    said: str,
) -> None:
    (tmp_path / "meta.properties").write_text(text)
    with pytest.raises(CannotStart, match=said):
        identified(tmp_path, claimed, node_id, cluster_id)
    assert (tmp_path / "meta.properties").read_text() == text


def test_nobody_wants_logs_among_their_papers(tmp_path: Path, claimed: list[LogDirectory]) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(CannotStart, match=r"neither empty nor a Kafka log directory.*letter\.txt"):
        identified(tmp_path, claimed)
    assert not (tmp_path / "meta.properties").exists()


def test_a_second_claim_in_this_process_is_refused(
    tmp_path: Path, claimed: list[LogDirectory]
) -> None:
    claimed.append(claim(str(tmp_path)))
    (tmp_path.parent / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path.parent / "link"):
        with pytest.raises(CannotStart, match="already served by this process"):
            claim(str(path))
    claimed[0].release()
    claimed.append(claim(str(tmp_path)))


HOLD_THE_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_another_process_is_named_and_its_lock_respected(
    tmp_path: Path, claimed: list[LogDirectory]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(CannotStart, match=rf"in use by process {other.pid} \(.+\)\. Two brok"):
            claim(str(tmp_path))
        other.stdin.close()
        other.wait(30)
    claimed.append(claim(str(tmp_path)))


TRY_THE_LOCK = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(3)
"""


def test_our_lock_keeps_others_out(tmp_path: Path, claimed: list[LogDirectory]) -> None:
    claimed.append(claim(str(tmp_path)))
    command = [sys.executable, "-c", TRY_THE_LOCK, str(tmp_path / ".lock")]
    assert subprocess.run(command, check=False, timeout=30).returncode == 3
    claimed[0].release()
    assert subprocess.run(command, check=False, timeout=30).returncode == 0


def test_a_file_system_without_locks_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, flags: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(CannotStart, match=r"cannot be locked: No locks available.*NFS"):
        claim(str(tmp_path))


def test_a_path_that_is_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match=r"cannot be used for data: .*--data DIR"):
        claim(str(tmp_path / "file"))


# How the last process ended


def reopened(path: Path, claimed: list[LogDirectory]) -> Shutdown:
    directory = identified(path, claimed)
    directory.open_for_writing()
    assert not (path / ".kafka_cleanshutdown").exists()
    return directory.shutdown


@pytest.fixture
def used(tmp_path: Path, claimed: list[LogDirectory]) -> LogDirectory:
    assert reopened(tmp_path, claimed) is Shutdown.CLEAN
    directory = claimed.pop()
    directory.note_boot()
    return directory


def test_the_marker_says_clean(
    tmp_path: Path, claimed: list[LogDirectory], used: LogDirectory
) -> None:
    used.release(clean_broker_epoch=5)
    assert (tmp_path / ".kafka_cleanshutdown").read_text() == '{"version":0,"brokerEpoch":5}'
    assert reopened(tmp_path, claimed) is Shutdown.CLEAN


def test_no_marker_and_the_same_boot_is_a_killed_process(
    tmp_path: Path, claimed: list[LogDirectory], used: LogDirectory
) -> None:
    used.release()
    assert reopened(tmp_path, claimed) is Shutdown.KILLED


def test_no_marker_and_another_boot_is_a_lost_power(
    tmp_path: Path, claimed: list[LogDirectory], used: LogDirectory
) -> None:
    used.release()
    (tmp_path / ".ottla_boot").write_text("another-boot\n")
    assert reopened(tmp_path, claimed) is Shutdown.POWER_LOST


def test_a_process_killed_while_it_examines_lost_power_leaves_it_lost(
    tmp_path: Path, claimed: list[LogDirectory], used: LogDirectory
) -> None:
    used.release()
    (tmp_path / ".ottla_boot").write_text("another-boot\n")
    for _ in range(2):  # the first is killed before `note_boot`
        assert reopened(tmp_path, claimed) is Shutdown.POWER_LOST
        claimed.pop().release()


def test_where_no_boot_id_is_known_the_worst_is_assumed(
    tmp_path: Path, claimed: list[LogDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_directory, "_BOOT_ID_FILE", str(tmp_path / "nowhere"))
    assert reopened(tmp_path / "data", claimed) is Shutdown.CLEAN
    claimed.pop().release()
    assert reopened(tmp_path / "data", claimed) is Shutdown.POWER_LOST


def test_a_directory_that_kafka_left_without_a_marker_is_examined(
    tmp_path: Path, claimed: list[LogDirectory]
) -> None:
    (tmp_path / "meta.properties").write_text(KAFKA_IDENTITY)
    directory = identified(tmp_path, claimed)
    directory.open_for_writing()
    assert directory.shutdown is Shutdown.POWER_LOST
