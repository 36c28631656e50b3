"""Hostile frames over sockets against a real `ottla serve`: `python -m tests.fuzz.sockets [--frames N]`.

The frames of `frames.py`, on connections that come and go, cut into pieces, answers unread. Beside
them an honest producer works, and a newcomer asks ApiVersions every so often. Judged are: the honest
records and how long their acknowledgments took, the longest time a newcomer waited, memory,
descriptors, the log, and that the broker stops cleanly.
"""

import argparse
import select
import socket
import sys
import time
from random import Random
from typing import Final

from tests.fuzz.batches import Batches
from tests.fuzz.grammar import TOPICS, Grammar, framed, joined, mutate
from tests.fuzz.honest import HONEST
from tests.fuzz.live import Bystanders, Client, Live
from tests.unit.wire.building import api_schemas

WAIT_MS_MAX: Final = 1_000.0
RSS_GROWTH_BYTES_MAX: Final = 64 * 1024 * 1024
_WARM_FRAMES: Final = 5_000
_PEERS: Final = 20
_FRAMES_PER_PEER: Final = 60
_SERVED: Final = (0, 0, 0, 1, 1, 2, 3, 10, 18, 19, 20, 21, 22, 23, 32, 37, 60, 61, 75)
_LOOK_FRAMES: Final = 1_000


class Peer:
    """A hostile connection: sends, and throws answers away as far as they are there."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.frames = 0
        self.open = True

    def send(self, data: bytes, random: Random) -> None:
        self.frames += 1
        pieces = [data]
        if random.random() < 0.1:
            at = random.randrange(len(data) + 1)
            pieces = [data[:at], data[at:]]
        try:
            for piece in pieces:
                self._drain()
                self.socket.sendall(piece)
        except OSError:
            self.open = False

    def _drain(self) -> None:
        while select.select([self.socket], [], [], 0)[0]:
            if not self.socket.recv(1 << 20):
                self.open = False
                return

    def close(self) -> None:
        self.socket.close()


class Attack:
    def __init__(self, live: Live, seed: int) -> None:
        self.random = Random(f"sockets/{seed}")
        self.grammar = Grammar(self.random, api_schemas(), Batches(self.random))
        self.frames = 0
        self.connections = 0
        self._live = live
        self._honest = Client(live.port)
        self._honest.create(HONEST)
        self._peers: list[Peer] = []
        self.provide()

    def provide(self) -> None:
        """The attacker's topics, where it deleted them; their ids. The bystanders' are called HONEST-1."""
        for name in TOPICS:
            self._honest.create(name)
        found = self._honest.topics()
        self.grammar.topic_ids = [id_ for name, id_ in found.items() if not name.startswith(HONEST)]

    def go_on(self, frames: int) -> None:
        random = self.random
        end = self.frames + frames
        while self.frames < end:
            key = random.choice(_SERVED if random.random() < 0.8 else tuple(self.grammar.schemas))
            api = self.grammar.schemas[key]
            request = self.grammar.request(key, random.randint(api.version_min, api.version_max))
            for _ in range(6):
                self._peer().send(framed(joined(mutate(request, random)), random), random)
                self.frames += 1

    def _peer(self) -> Peer:
        if len(self._peers) < _PEERS:
            self._peers.append(Peer(self._live.port))
            self.connections += 1
        at = self.random.randrange(len(self._peers))
        peer = self._peers[at]
        if peer.open and peer.frames < _FRAMES_PER_PEER:
            return peer
        peer.close()
        self._peers[at] = peer = Peer(self._live.port)
        self.connections += 1
        return peer

    def end(self) -> None:
        for peer in self._peers:
            peer.close()
        self._honest.close()


def attacked(frames: int, seed: int) -> list[str]:
    """Prints the figures; returns what is wrong."""
    wrong: list[str] = []
    with Live() as live:
        attack = Attack(live, seed)
        bystanders = Bystanders(live.port)
        attack.go_on(min(frames, _WARM_FRAMES))
        attack.provide()
        settled_bytes = live.rss_bytes()
        descriptors = live.descriptors()
        started_s = time.monotonic()
        scheduled_s = live.scheduled_s()
        while attack.frames < frames:
            attack.go_on(_LOOK_FRAMES)
            attack.provide()
        took_s = time.monotonic() - started_s
        slowness = live.slowness(scheduled_s)
        attack.end()
        experience = bystanders.finish()
        if experience.failure is not None:
            wrong.append(f"honest: {experience.failure}")
        growth_bytes = live.rss_bytes() - settled_bytes
        left = live.descriptors()
        live.broker.stop()
        wrong += [f"log: {line}" for line in live.trouble()[:10]]
    print(
        f"{attack.frames:,} frames on {attack.connections:,} connections in {took_s:.0f} s; "
        f"{experience.acknowledged:,} acknowledged; {experience}; RSS growth {growth_bytes / 2**20:.1f} MiB; descriptors "
        f"{descriptors} then {left} (machine shared 1:{slowness:.1f})"
    )
    # What others took of the machine is not the broker's doing.
    if max(experience.newcomer_ms, experience.longest_ms) > WAIT_MS_MAX * slowness:
        wrong.append(f"somebody waited longer than {WAIT_MS_MAX:.0f} ms")
    if growth_bytes > RSS_GROWTH_BYTES_MAX:
        wrong.append(f"RSS growth {growth_bytes / 2**20:.0f} MiB")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Hostile frames over sockets.")
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wrong = attacked(given.frames, given.seed)
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
