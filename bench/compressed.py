"""What do compressed batches cost the broker, which has to look into them?"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, repeat
from pathlib import Path
from typing import Final

from load import cost
from peer import Peer
from question import Answer, Figure, Question, Round, main
from wire import batch_of, delete_topic, make_topic, produce_frame, produced

from ottla.record.compress import GZIP, LZ4, NONE, SNAPPY, ZSTD

CODECS: Final = {"none": NONE, "gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
RECORDS: Final = 100
REQUESTS: Final = 300
IN_FLIGHT: Final = 5


@contextmanager
def prepare(peer: Peer, place: Path) -> Iterator[Round]:
    numbers = count()
    values = list(words(random.Random(1)))
    batches = {name: batch_of(values, codec=codec) for name, codec in CODECS.items()}

    def once() -> Answer:
        answer: dict[str, float] = {}
        for name, batch in batches.items():
            topic = f"compressed-{next(numbers)}"
            make_topic(connection, topic)
            requests = repeat(produce_frame(topic, 0, batch), REQUESTS)
            begins = produced(topic)
            spent = cost(process, connection, requests, in_flight=IN_FLIGHT, begins=begins)
            delete_topic(connection, topic)
            answer[name] = spent.cpu_s_per_gb(len(batches["none"]))
        return answer

    with peer.running(place) as process, process.connect() as connection:
        yield once


def words(chance: random.Random) -> Iterator[bytes]:
    """Records of about 1,000 bytes that compress to a third or so, as text does."""
    vocabulary = [chance.randbytes(4).hex() for _ in range(500)]
    for _ in range(RECORDS):
        yield " ".join(chance.choices(vocabulary, k=111)).encode()


QUESTION: Final = Question(
    name="compressed",
    title="Produce of compressed batches of 100 KB",
    how=(
        f"{RECORDS} records of 1,000 bytes of random words in each, {REQUESTS} batches a round and codec, "
        f"{IN_FLIGHT} in flight, acks=1. CPU is the broker's per GB of records before compression."
    ),
    figures=tuple(Figure(name=name, unit="s/GB") for name in CODECS),
    prepare=prepare,
    warm_up=8,
)

if __name__ == "__main__":
    main(QUESTION)
