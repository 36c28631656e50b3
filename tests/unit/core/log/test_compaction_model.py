"""Random writers, tombstones, transactions, rounds and restarts: a reader always knows what the model knows."""

from random import Random

import pytest

from ottla import probe
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.core.log.log import Log, Shutdown
from ottla.record.batch import Batch
from ottla.record.record import records_untrusted
from tests.unit.core.log.building import NOW_MS, append, open_log
from tests.unit.core.log.compacting import COMPACTED, clean, keyed, mark, roll
from tests.unit.fakes.disk import MemoryDisk

KEYS = [b"%d" % at for at in range(9)] + [b"long" * 9 + b"%d" % at for at in range(3)]


class Model:
    """What was written and committed: per key all (offset, value); and every producer's next sequence."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.disk = MemoryDisk(NOW_MS)
        self.settings = COMPACTED._replace(segment_bytes=self.chance.choice((300, 900, 3000)))
        self.log: Log = open_log(self.disk, settings=self.settings)
        self.now_ms = NOW_MS
        self.times: dict[int, int] = {}
        self.written: dict[bytes, list[tuple[int, bytes | None]]] = {}
        self.sequences = {7: 0, 8: 0}
        self.open: dict[int, list[tuple[bytes, int, bytes | None]]] = {}

    def batch(self) -> list[tuple[bytes, bytes | None]]:
        chance = self.chance
        return [
            (chance.choice(KEYS), None if chance.random() < 0.25 else b"%d" % chance.randrange(999))
            for _ in range(chance.randint(1, 5))
        ]

    def write(self) -> None:
        records = self.batch()
        codec = self.chance.choice((0, 0, 0, 1, 4))
        base = append(self.log, keyed(*records, times=[self.now_ms] * len(records), codec=codec))
        for at, (key, value) in enumerate(records):
            self.written.setdefault(key, []).append((base + at, value))
            self.times[base + at] = self.now_ms

    def write_in_transaction(self) -> None:
        producer_id = self.chance.choice((7, 8))
        records = self.batch()
        data = keyed(
            *records,
            times=[self.now_ms] * len(records),
            producer=(producer_id, 0, self.sequences[producer_id]),
            transactional=True,
        )
        base = append(self.log, data)
        self.sequences[producer_id] += len(records)
        noted = self.open.setdefault(producer_id, [])
        noted += [(key, base + at, value) for at, (key, value) in enumerate(records)]

    def end_transaction(self) -> None:
        for producer_id in list(self.open):
            commit = self.chance.random() < 0.6
            mark(self.log, producer_id, commit=commit)
            noted = self.open.pop(producer_id)
            if commit:
                for key, offset, value in noted:
                    self.written.setdefault(key, []).append((offset, value))

    def clean(self) -> None:
        producers = self.log.producers.first_open_offset
        stable = self.log.end_offset if producers is None else producers
        clean(
            self.log,
            self.disk,
            self.now_ms,
            stable_end=stable,
            keys_max=self.chance.choice((1, 4, 1000)),
        )

    def restart(self) -> None:
        cleaned = self.log.cleaned_offset
        if self.chance.random() < 0.5:
            self.log.close(self.now_ms)
            shutdown = Shutdown.CLEAN
        else:
            self.disk = self.disk.copy()
            shutdown = Shutdown.KILLED
            if self.chance.random() < 0.5:
                for name in self.disk.names("t-0"):
                    if name.endswith(".snapshot"):  # what they say, the batches say as well
                        self.disk.remove(f"t-0/{name}")
        self.log = Log.open(
            self.disk,
            "t-0",
            settings=self.settings,
            now_ms=self.now_ms,
            shutdown=shutdown,
            recovery_point=self.log.end_offset,
            log_start=0,
            jitter_ms=0,
            cleaned_offset=cleaned,
        )

    def is_hidden(self, batch: Batch, aborted: list[AbortedTransaction]) -> bool:
        """A reader of committed records does not see the batch."""
        if not batch.is_transactional:
            return False
        producer = self.log.producers.producers[batch.producer_id]
        if 0 <= producer.transaction_start <= batch.base_offset:
            return True
        return any(
            one.producer_id == batch.producer_id
            and one.first_offset <= batch.base_offset < one.last_offset
            for one in aborted
        )

    def check(self) -> None:
        """As a reader of committed records sees it."""
        log = self.log
        aborted = log.aborted(0, log.end_offset)
        found: dict[bytes, list[tuple[int, bytes | None]]] = {}
        for batch in log.batches(0, log.end_offset):
            if batch.is_control or self.is_hidden(batch, aborted):
                continue
            for record in records_untrusted(batch, limit=1 << 20):
                assert record.key is not None
                found.setdefault(record.key, []).append((record.offset, record.value))
        for key, written in self.written.items():
            written = sorted(written)
            kept = found.pop(key, [])
            assert kept == sorted(kept)
            assert set(kept) <= set(written), "what was never written, or never committed"
            newest = written[-1]
            if newest[1] is not None:
                assert kept[-1:] == [newest], key
            else:
                assert not kept or kept[-1] == newest, "a deleted key has come back"
                if self.now_ms < self.times.get(newest[0], 0) + COMPACTED.delete_retention_ms:
                    assert kept, "a slow reader never learns of the deletion"
            dirty = log.cleaned_offset or 0
            assert [one for one in written if one[0] >= dirty] == [
                one for one in kept if one[0] >= dirty
            ], "a record was lost that was not cleaned yet"
        assert not found
        assert (log.producers.first_open_offset is None) == (not self.open)
        for producer_id, sequence in self.sequences.items():
            if sequence:
                assert log.producers.producers[producer_id].last_sequence == sequence - 1
        log.check_invariants()


def run(seed: int, steps: int) -> None:
    model = Model(seed)
    chance = model.chance
    for _ in range(steps):
        model.now_ms += chance.choice((1, 50, 600))
        what = chance.random()
        if what < 0.45:
            model.write()
        elif what < 0.65:
            model.write_in_transaction()
        elif what < 0.75:
            model.end_transaction()
        elif what < 0.82 and not model.open:
            roll(model.log, model.now_ms)
            model.written.setdefault(b"active", []).append((model.log.end_offset - 1, b""))
        elif what < 0.96:
            model.clean()
        else:
            model.restart()
        model.check()


@pytest.mark.parametrize("seed", range(24))
def test_a_reader_knows_what_the_model_knows(seed: int) -> None:
    run(seed, 100)


@pytest.mark.parametrize(
    "mutant",
    [
        "KIP534-tombstone-goes-at-once",
        "M39-unmapped-goes",
    ],
)
def test_the_model_sees_the_mistake(mutant: str) -> None:
    probe.breed(mutant)
    try:
        with pytest.raises(AssertionError):
            run_many(60)
    finally:
        probe.breed()


def run_many(seeds: int) -> None:
    for seed in range(seeds):
        run(seed, 100)
