"""With an identity nothing is stored twice and nothing overtakes, whatever the network does.

A broker of a few lines, which keeps Kafka's promise about sequences (KIP-98), behind a network that
loses requests, loses answers, delivers what the producer has given up for lost, and refuses.
"""

import random

import pytest

from ottla.client.produce.delivery import Delivery
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.errors import ErrorCode
from tests.unit.client.produce.rig import Rig, led_by, seen

REMEMBERED = 5
PASSING = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.REQUEST_TIMED_OUT,  # stored or not
)
REFUSING = (ErrorCode.INVALID_TIMESTAMP, ErrorCode.MESSAGE_TOO_LARGE)


class Log:
    """One partition, as its leader keeps it for one producer."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.epoch = -1
        self.next_sequence = 0
        self.batches: list[tuple[int, int, int]] = []

    def append(self, epoch: int, sequence: int, values: list[bytes | None]) -> int:
        if epoch < self.epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if epoch > self.epoch:
            if sequence != 0:
                return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
            self.epoch, self.next_sequence, self.batches = epoch, 0, []
        if (epoch, sequence, len(values)) in self.batches:
            return ErrorCode.NONE
        if sequence != self.next_sequence:
            return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        self.values += values
        self.next_sequence += len(values)
        self.batches = [*self.batches, (epoch, sequence, len(values))][-REMEMBERED:]
        return ErrorCode.NONE

    def start_anew(self) -> None:
        """What a snapshot has of a producer is its last batch."""
        self.batches = self.batches[-1:]


class Network:
    """Requests in the order of one connection, which may be cut at any time."""

    def __init__(self, rig: Rig, draw: random.Random, evil: float) -> None:
        self.rig, self.draw, self.evil = rig, draw, evil
        self.logs = {partition: Log() for partition in range(2)}
        self.line: list[Outgoing] = []
        self.wires: dict[int, dict[int, tuple[int, int, list[bytes | None]]]] = {}
        self.late: list[dict[int, tuple[int, int, list[bytes | None]]]] = []

    def send(self, sent: Outgoing) -> None:
        self.line.append(sent)
        self.wires[id(sent)] = seen(sent)

    def happen(self) -> None:
        """One thing."""
        if self.late:
            # A broker takes what reached it first first, also over two connections; where it does not,
            # Kafka's protocol has no remedy either.
            self.arrive(self.late.pop(0))
            return
        if not self.line:
            return
        if self.draw.random() < self.evil:
            self.cut()
            return
        sent = self.line.pop(0)
        self.rig.answer(sent, *self.arrive(self.wires.pop(id(sent))))

    def arrive(self, wire: dict[int, tuple[int, int, list[bytes | None]]]) -> list[int]:
        codes = []
        for partition, (epoch, sequence, values) in wire.items():
            chance = self.draw.random()
            if chance < self.evil / 2:
                code = self.draw.choice(PASSING)
                if code == ErrorCode.REQUEST_TIMED_OUT:
                    self.logs[partition].append(epoch, sequence, values)
            elif chance < self.evil:
                # Limits change: what was good enough to be stored need not be so again.
                code = self.draw.choice(REFUSING)
            else:
                code = self.logs[partition].append(epoch, sequence, values)
            codes.append(code)
        return codes

    def cut(self) -> None:
        """The first few arrived without an answer, some are still on their way, the rest never left."""
        arrived = self.draw.randrange(len(self.line) + 1)
        under_way = self.draw.randrange(arrived, len(self.line) + 1)
        for place, sent in enumerate(self.line):
            wire = self.wires.pop(id(sent))
            if place < arrived:
                self.arrive(wire)
                if self.draw.random() < 0.2:
                    for log in self.logs.values():
                        log.start_anew()
            elif place < under_way:
                self.late.append(wire)
            self.rig.lost(sent)
        self.line.clear()


@pytest.mark.parametrize("seed", range(150))
def test_nothing_twice_and_nothing_out_of_order(seed: int) -> None:
    draw = random.Random(seed)
    options = ProducerOptions(
        batch_size=draw.choice([0, 120, 400]),
        delivery_timeout_ms=draw.choice([700, 5_000, 60_000]),
        retries=draw.choice([3, 2**31 - 1]),
        max_in_flight=draw.choice([1, 3, 5]),
    )
    rig = Rig(1, 1, options=options)
    network = Network(rig, draw, evil=draw.choice([0.05, 0.2]))
    taken: dict[int, list[Delivery]] = {0: [], 1: []}
    for number in range(120):
        for _ in range(draw.randrange(3)):
            partition = draw.randrange(2)
            value = b"%d-%d" % (partition, len(taken[partition]))
            taken[partition].append(rig.append(value, partition))
        for sent in rig.ready(after_ms=draw.choice([0, 1, 20, 150])):
            network.send(sent)
        if draw.random() < 0.7:
            network.happen()
        if number % 40 == 39:
            rig.cluster = led_by(1, 1, epoch=6 + number)
        for lane in rig.records.busy:
            lane.check_invariants()
    network.evil = 0.0
    for _ in range(2_000):
        if not rig.records.incomplete and not network.line and not network.late:
            break
        for sent in rig.ready(after_ms=50):
            network.send(sent)
        network.happen()
    assert not rig.records.incomplete
    assert rig.records.room_bytes == options.buffer_memory
    for partition, deliveries in taken.items():
        stored = network.logs[partition].values
        assert len(set(stored)) == len(stored), "nothing twice"
        delivered = [
            b"%d-%d" % (partition, at) for at, one in enumerate(deliveries) if one.error is None
        ]
        assert [value for value in stored if value in set(delivered)] == delivered, "in order, all"
        numbers = [int((value or b"").split(b"-")[1]) for value in stored]
        assert numbers == sorted(numbers), "what failed but was stored did not overtake either"
