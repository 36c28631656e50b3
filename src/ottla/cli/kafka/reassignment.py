"""kafka-reassign-partitions, decided: what is proposed, what is throttled, and what is said of it.

Nothing here asks the cluster. `propose` spreads replicas as Kafka does: leaders in turn, the other
replicas shifted by one more with every round, racks one after the other.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ottla.cli.kafka.java_text import Json, java_json
from ottla.cli.kafka.plans import ANY_DIRECTORY, Wanted
from ottla.errors import LocalProtocolError
from ottla.types import TopicPartition

LEADER_THROTTLED: Final = "leader.replication.throttled.replicas"
FOLLOWER_THROTTLED: Final = "follower.replication.throttled.replicas"
BROKER_THROTTLES: Final = (
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
)

Assignment = Mapping[TopicPartition, Sequence[int]]


class Ongoing(NamedTuple):
    replicas: Sequence[int]
    adding: Sequence[int]
    removing: Sequence[int]


class Replica(NamedTuple):
    """One replica of a partition, and in which directories it is, and is going to."""

    broker: int
    place: TopicPartition

    def __str__(self) -> str:
        return f"{name(self.place)}-{self.broker}"


class Directories(NamedTuple):
    now: str | None
    future: str | None


def name(place: TopicPartition) -> str:
    return f"{place.topic}-{place.partition}"


def names(places: Sequence[TopicPartition]) -> str:
    return ",".join(map(name, sorted(places)))


def plural(count: int) -> str:
    return "" if count == 1 else "s"


def check_plan(wanted: Sequence[Wanted]) -> None:
    """Raises LocalProtocolError for a plan that makes no sense."""
    if not wanted:
        raise LocalProtocolError("Partition reassignment list cannot be empty")
    if any(not one.replicas for one in wanted):
        raise LocalProtocolError("Partition replica list cannot be empty")
    places = [one.place for one in wanted]
    twice = {place for place in places if places.count(place) > 1}
    if twice:
        raise LocalProtocolError(
            f"Partition reassignment contains duplicate topic partitions: {names([*twice])}"
        )
    for one in wanted:
        doubled = {str(broker) for broker in one.replicas if one.replicas.count(broker) > 1}
        if doubled:
            raise LocalProtocolError(
                "Partition replica lists may not contain duplicate entries: "
                f"{name(one.place)} contains multiple entries for {','.join(sorted(doubled))}"
            )


def as_json(assignment: Assignment, directories: Mapping[Replica, str]) -> str:
    """As `--reassignment-json-file` takes it; `any` where no directory is known."""
    partitions: list[Json] = [
        {
            "topic": place.topic,
            "partition": place.partition,
            "replicas": list(assignment[place]),
            "log_dirs": [
                directories.get(Replica(broker, place), ANY_DIRECTORY)
                for broker in assignment[place]
            ],
        }
        for place in sorted(assignment)
    ]
    return java_json({"version": 1, "partitions": partitions})


def propose(
    current: Assignment, racks: Mapping[int, str | None], start: int
) -> dict[TopicPartition, list[int]]:
    """Each topic spread over the brokers of `racks`, from the one at `start` on.

    Raises LocalProtocolError where there are fewer brokers than replicas.
    """
    brokers = alternated(racks)
    rack_count = len({racks[one] for one in brokers if racks[one] is not None})
    found: dict[TopicPartition, list[int]] = {}
    factors: dict[str, int] = {}
    for place in sorted(current):
        factor = factors.setdefault(place.topic, len(current[place]))
        if factor > len(brokers):
            raise LocalProtocolError(
                f"Replication factor: {factor} larger than available brokers: {len(brokers)}."
            )
        first = (start + place.partition) % len(brokers)
        turn = place.partition // len(brokers)
        others = [brokers[(first + 1 + at) % len(brokers)] for at in range(len(brokers) - 1)]
        shift = (start + turn) % len(others) if others else 0
        left = others[shift:] + others[:shift]
        replicas = [brokers[first]]
        while len(replicas) < factor:
            used = {racks[one] for one in replicas}
            fresh = [one for one in left if len(used) < rack_count and racks[one] not in used]
            replicas.append((fresh or left)[0])
            left.remove(replicas[-1])
        found[place] = replicas
    return found


def alternated(racks: Mapping[int, str | None]) -> list[int]:
    """The brokers, one of each rack in turn."""
    by_rack: dict[str, list[int]] = {}
    for broker in sorted(racks):
        by_rack.setdefault(racks[broker] or "", []).append(broker)
    found = []
    for turn in range(max(map(len, by_rack.values()), default=0)):
        found += [by_rack[rack][turn] for rack in sorted(by_rack) if turn < len(by_rack[rack])]
    return found


def throttles(
    plan: Assignment, current: Assignment, ongoing: Mapping[TopicPartition, Ongoing]
) -> tuple[dict[str, dict[str, str]], list[int]]:
    """By topic, which replicas are throttled; and the brokers that move something."""
    sources: dict[TopicPartition, set[int]] = {}
    targets: dict[TopicPartition, set[int]] = {}
    for place, one in ongoing.items():
        sources[place] = set(one.replicas) - set(one.adding)
        targets[place] = set(one.adding)
    for place, replicas in plan.items():
        sources.setdefault(place, set(current[place]))
        targets[place] = set(replicas) - sources[place]
    by_topic: dict[str, dict[str, str]] = {}
    for topic in sorted({place.topic for place in sources}):
        by_topic[topic] = {
            LEADER_THROTTLED: _listed(topic, sources),
            FOLLOWER_THROTTLED: _listed(topic, targets),
        }
    brokers = set().union(*sources.values(), *targets.values())
    return by_topic, sorted(brokers)


def _listed(topic: str, replicas: Mapping[TopicPartition, set[int]]) -> str:
    texts = {
        f"{place.partition}:{broker}"
        for place, brokers in replicas.items()
        if place.topic == topic
        for broker in brokers
    }
    return ",".join(sorted(texts))


def list_lines(ongoing: Mapping[TopicPartition, Ongoing]) -> list[str]:
    if not ongoing:
        return ["No partition reassignments found."]
    lines = ["Current partition reassignments:"]
    for place, one in sorted(ongoing.items()):
        line = f"{name(place)}: replicas: {_ids(one.replicas)}."
        line += f" adding: {_ids(one.adding)}." if one.adding else ""
        line += f" removing: {_ids(one.removing)}." if one.removing else ""
        lines.append(line)
    return lines


def status_lines(
    wanted: Sequence[Wanted],
    current: Assignment,
    ongoing: Mapping[TopicPartition, Ongoing],
) -> list[str]:
    lines = ["Status of partition reassignment:"]
    for one in sorted(wanted):
        if one.place in ongoing:
            lines.append(f"Reassignment of partition {name(one.place)} is still in progress.")
        elif list(current.get(one.place, ())) == list(one.replicas):
            lines.append(f"Reassignment of partition {name(one.place)} is completed.")
        else:
            lines.append(
                f"There is no active reassignment of partition {name(one.place)}, but replica set is "
                f"{_ids(current.get(one.place, ()))} rather than {_ids(one.replicas)}."
            )
    return lines


def moves(wanted: Sequence[Wanted]) -> dict[Replica, str]:
    """Which replicas shall be in a directory that is named."""
    return {
        Replica(broker, one.place): directory
        for one in wanted
        for broker, directory in zip(one.replicas, one.directories, strict=True)
        if directory != ANY_DIRECTORY
    }


def move_lines(targets: Mapping[Replica, str], where: Mapping[Replica, Directories]) -> list[str]:
    return [_move_line(one, targets[one], where.get(one)) for one in sorted(targets)]


def is_moving(targets: Mapping[Replica, str], where: Mapping[Replica, Directories]) -> bool:
    return any((one := where.get(replica)) and one.future for replica in targets)


def _move_line(replica: Replica, target: str, where: Directories | None) -> str:
    partition = f"Partition {name(replica.place)}"
    if where is None or where.now is None:
        return (
            f"{partition} is not found in any live log dir on broker {replica.broker}. There is "
            "likely an offline log directory on the broker."
        )
    if where.future == target:
        return f"Reassignment of replica {replica} is still in progress."
    if where.future is not None:
        return (
            f"{partition} on broker {replica.broker} is being moved to log dir {where.future} "
            f"instead of {target}."
        )
    if where.now == target:
        return f"Reassignment of replica {replica} completed successfully."
    return (
        f"{partition} on broker {replica.broker} is not being moved from log dir {where.now} to "
        f"{target}."
    )


def _ids(brokers: Sequence[int]) -> str:
    return ",".join(map(str, brokers))
