"""What does a record cost its client, beside other clients?"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from client import PARTITIONS, figures_of, fill
from peer import Peer, compiled_python
from process import ottla
from question import Answer, Figure, Question, Round, Unanswerable, main
from wire import create_topics

from ottla.version import __version__

SIZES: Final = (100, 1_000)
MODES: Final = ("produce", "consume")


class Client(NamedTuple):
    """What `client.py` calls it, and of what that prints, what is compared."""

    title: str
    name: str
    labels: dict[str, str]
    package: str | None = None
    python: Callable[[], Sequence[str]] = lambda: (sys.executable,)

    @property
    def peer(self) -> Peer:
        """The broker is the same for all; each client has one of its own."""
        told = __version__ if self.package is None else version(self.package)
        return Peer(title=self.title, version=lambda: told, start=ottla)


def ways(produce: str, consume: str) -> dict[str, str]:
    return dict(zip(MODES, (produce, consume), strict=True))


_OURS: Final = Client("Ottla's client", "ours", ways("ours, send", "ours, poll"))
_BATCHES: Final = Client(
    "Ottla's client, batches", "ours", ways("ours, send_batch of 1,000", "ours, poll_batches")
)
_DROP_IN: Final = Client(
    "ottla.kafka", "ours_kafka", ways("ours, ottla.kafka", "ours, ottla.kafka, poll")
)

# In the order of their turns: what is compared most stands side by side.
CLIENTS: Final = {
    "ottla": _OURS,
    "compiled": _OURS._replace(title="Ottla's client, compiled", python=compiled_python),
    "confluent": Client(
        "confluent-kafka",
        "confluent",
        ways("confluent-kafka", "confluent-kafka, consume(500)"),
        "confluent-kafka",
    ),
    "batches": _BATCHES,
    "batches_compiled": _BATCHES._replace(
        title="Ottla's client, batches, compiled", python=compiled_python
    ),
    "drop_in": _DROP_IN,
    "drop_in_compiled": _DROP_IN._replace(title="ottla.kafka, compiled", python=compiled_python),
    "aiokafka": Client("aiokafka", "aiokafka", ways("aiokafka", "aiokafka, getmany"), "aiokafka"),
    "kafka_python": Client(
        "kafka-python",
        "kafka_python",
        ways("kafka-python", "kafka-python, poll"),
        "kafka-python",
    ),
}


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Sequence[Round]]:
    (client,) = (client for client in CLIENTS.values() if client.title == peer.title)

    def part(mode: str, size: int) -> Round:
        topic = f"{mode}-{size}"

        def once() -> Answer:
            found = figures_of(
                mode,
                client.name,
                size,
                process.port,
                topic,
                label=client.labels[mode],
                python=client.python(),
            )
            if not found:
                raise Unanswerable(f"it failed to {mode} records of {size:,} bytes")
            (figure,) = found.values()
            return {named(mode, size): figure}

        create_topics(connection, [topic], PARTITIONS)
        if mode == "consume":
            fill(process.port, topic, size, varied=False)
        return once

    with peer.running(place) as process, process.connect() as connection:
        yield [part(mode, size) for mode, size in product(MODES, SIZES)]


def named(mode: str, size: int) -> str:
    return f"{mode}, {size:,} B: CPU per record"


QUESTION: Final = Question(
    name="clients",
    title="Clients: what a record costs",
    how=(
        "CPU of the client's process, all its threads, per record, each client with `ottla serve`, "
        "acks=all, batches of 64 KiB, 5 ms of linger, three partitions, no keys; the best of four turns "
        "after one to warm up. Ottla's client by `send` and `poll`, and by `send_batch` of 1,000 and "
        "`poll_batches`, of which the values are taken; confluent-kafka by `produce` without callbacks and "
        "by `consume(500)`, aiokafka by `getmany`."
    ),
    figures=tuple(
        Figure(name=named(mode, size), unit="µs") for mode, size in product(MODES, SIZES)
    ),
    prepare=prepare,
    peers={name: client.peer for name, client in CLIENTS.items()},
    rounds=9,
)

if __name__ == "__main__":
    main(QUESTION)
