"""Hostile frames against a whole node in process: `python -m tests.fuzz.frames [--frames N]`.

A *life* is one seed: a fresh node, an honest client, and some thousand frames of every API and
version, valid and mutated, alone, several in one arrival, cut in two or sent byte by byte. At its end
all invariants hold, every call has its answer, and the honest records are what was written, before
and after a restart. The same seed is the same life: `--seed N` repeats one and shows the frame.
"""

import argparse
import gc
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from schema.language import ApiSchema

from ottla.wire.message.fetch import FetchResponse
from tests.fuzz.batches import Batches
from tests.fuzz.grammar import Grammar, Tokens, framed, joined, mutate
from tests.fuzz.honest import HONEST, HonestClient
from tests.fuzz.target import Caller, Target
from tests.unit.wire.building import api_schemas

LIFE_FRAMES: Final = 5_000
RSS_GROWTH_BYTES_MAX: Final = 64 * 1024 * 1024
_SERVED: Final = (0, 0, 0, 0, 1, 1, 1, 2, 3, 10, 18, 19, 20, 21, 22, 23, 32, 37, 60, 61, 75)
_MUTANTS_PER_REQUEST: Final = 6
_FRAMES_PER_CALLER: Final = 60
_HOUSEKEEPING_FRAMES: Final = 200
_PROVIDING_FRAMES: Final = 60


@dataclass
class Tally:
    """What a campaign saw."""

    frames: int = 0
    lives: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    pairs: set[tuple[int, int]] = field(default_factory=set)
    slowest_s: float = 0.0
    rss_growth_bytes: int = 0
    defects: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.frames += other.frames
        self.lives += other.lives
        self.outcomes += other.outcomes
        self.pairs |= other.pairs
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.rss_growth_bytes = max(self.rss_growth_bytes, other.rss_growth_bytes)
        self.defects += other.defects

    def __str__(self) -> str:
        known = sum(len(_versions(api)) for api in api_schemas().values())
        outcomes = ", ".join(f"{name} {count:,}" for name, count in sorted(self.outcomes.items()))
        return (
            f"{self.frames:,} frames in {self.lives:,} lives; {outcomes}; "
            f"{len(self.pairs)} of {known} API versions; slowest arrival {self.slowest_s:.3f} s; "
            f"RSS growth {self.rss_growth_bytes / 2**20:.1f} MiB; {len(self.defects)} defects"
        )


def _versions(api: ApiSchema) -> range:
    return range(api.version_min, api.version_max + 1)


class Life:
    """One seed's attack."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(f"frames/{seed}")
        flush = random.choice(((), (), ("ottla.flush=ack",)))
        self.target = Target(random, *flush, "num.partitions=2")
        self.honest = HonestClient(self.target)
        self.grammar = Grammar(random, api_schemas(), Batches(random))
        self.pairs: set[tuple[int, int]] = set()
        self.frames = 0
        self.last: bytes = b""
        self._all_pairs = [(a.key, v) for a in api_schemas().values() for v in _versions(a)]

    def live(self, frames: int) -> None:
        random, target = self.random, self.target
        caller = target.connect()
        next_care = _HOUSEKEEPING_FRAMES
        while self.frames < frames:
            arrival = [framed(joined(tokens), random) for tokens in self._requests()]
            if random.random() < 0.3:
                arrival = [b"".join(arrival)]
                self.frames += _MUTANTS_PER_REQUEST
            for data in arrival:
                if not caller.open or caller.frames >= _FRAMES_PER_CALLER:
                    target.check_owed(caller)
                    target.disconnect(caller)
                    caller = target.connect()
                caller.frames += 1
                self.frames += 1
                self.last = data
                self._send(caller, data)
            if random.random() < 0.9:
                target.flush()
            target.pass_time(random.choice((0, 0, 0, 1, 20, 600)))
            self._remember()
            if self.frames % _PROVIDING_FRAMES < _MUTANTS_PER_REQUEST:
                self.honest.provide()
            if self.frames >= next_care:
                next_care += _HOUSEKEEPING_FRAMES
                target.flush()
                target.check()
                self.honest.write()
        self._end()

    def _end(self) -> None:
        self.target.check_all_answered()
        self.target.check()
        self.honest.read()
        self.target.restart()
        self.target.check()
        self.honest.read()

    def _requests(self) -> list[Tokens]:
        """A valid request, and its mutants."""
        random = self.random
        if random.random() < 0.75:
            key = random.choice(_SERVED)
            version = random.choice(_versions(self.grammar.schemas[key]))
        else:
            key, version = random.choice(self._all_pairs)
        self.pairs.add((key, version))
        request = self.grammar.request(key, version)
        return [request, *(mutate(request, random) for _ in range(_MUTANTS_PER_REQUEST))]

    def _send(self, caller: Caller, data: bytes) -> None:
        random = self.random
        chance = random.random()
        if chance < 0.02 and len(data) <= 400:
            for at in range(len(data)):
                self.target.arrive(caller, data[at : at + 1])
        elif chance < 0.15:
            at = random.randrange(len(data) + 1)
            self.target.arrive(caller, data[:at])
            self.target.arrive(caller, data[at:])
        else:
            self.target.arrive(caller, data)

    def _remember(self) -> None:
        """What an attacker learns by asking: the topics' ids, the sessions it was given."""
        topics = self.target.node.current.image.topics.values()
        self.grammar.topic_ids = [topic.topic_id for topic in topics if topic.name != HONEST]
        for answer in self.target.answered:
            if isinstance(answer, FetchResponse) and answer.session_id:
                self.grammar.session_ids = [*self.grammar.session_ids[-3:], answer.session_id]
        self.target.answered.clear()


def lived(seed: int, frames: int = LIFE_FRAMES) -> Tally:
    """One life. A defect is told with what is needed to repeat it."""
    tally = Tally(lives=1)
    life = Life(seed)
    try:
        life.live(frames)
    except (Exception, RecursionError) as error:  # noqa: BLE001
        shown = life.last[:600].hex()
        tally.defects.append(
            f"seed {seed}, frame {life.frames}: {type(error).__name__}: {error}\n"
            f"  {len(life.last):,} bytes: {shown}"
        )
    tally.frames = life.frames
    tally.pairs = life.pairs
    tally.outcomes = Counter(life.target.counts)
    tally.slowest_s = life.target.slowest_s
    return tally


def _rss_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


def _campaign(first: int, step: int, frames: int) -> Tally:
    logging.disable()  # refusals are many
    tally = Tally()
    seed = first
    settled_bytes = 0
    while tally.frames < frames:
        tally.add(lived(seed))
        seed += step
        gc.collect()
        if tally.lives == 2:
            settled_bytes = _rss_bytes()  # every codec is loaded by now
        elif settled_bytes:
            tally.rss_growth_bytes = max(tally.rss_growth_bytes, _rss_bytes() - settled_bytes)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    if given.seed is not None:
        life = Life(given.seed)
        try:
            life.live(LIFE_FRAMES)
        except BaseException:
            print(f"frame {life.frames}: {life.last[:2000].hex()}")
            raise
        print("nothing found")
        return 0
    started_s = time.monotonic()
    total = Tally()
    share = -(-given.frames // given.processes)
    with ProcessPoolExecutor(given.processes) as pool:
        parts = [
            pool.submit(_campaign, given.first + number, given.processes, share)
            for number in range(given.processes)
        ]
        for part in parts:
            total.add(part.result())
    for defect in total.defects[:20]:
        print(defect)
    print(f"{total}; {time.monotonic() - started_s:.0f} s")
    if total.rss_growth_bytes > RSS_GROWTH_BYTES_MAX:
        print(f"RSS growth is above {RSS_GROWTH_BYTES_MAX / 2**20:.0f} MiB")
        return 1
    return 1 if total.defects else 0


if __name__ == "__main__":
    sys.exit(main())
