"""Can the simulator see? Makes old mistakes on purpose and counts the seeds until a checker objects.

    python tools/mutants.py                      every mutant, and docs/reference/mutants.md
    python tools/mutants.py --only M06 M70       those whose names begin so; writes no page
    python tools/mutants.py --check              fail if the switches and the table here differ

A mutant is a switch of `ottla.probe`, beside the line that does it right. It is killed by the first
seed whose world breaks a promise with the switch on and keeps every promise with it off. One that
lives for 50,000 seeds shows where the simulator is blind, or that the line is not needed.
"""

import argparse
import gc
import logging
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "ottla"
sys.path.insert(0, str(ROOT / "src"))

from ottla import probe  # noqa: E402
from ottla.sim.draw import draw_plan  # noqa: E402
from ottla.sim.plan import Blow, Plan, Role, Verb  # noqa: E402
from ottla.sim.trial import try_plan  # noqa: E402

PAGE: Final = ROOT / "docs" / "reference" / "mutants.md"
SEEDS_MAX: Final = 50_000
SECONDS_MAX: Final = 1_800
HANGS_AFTER_S: Final = 30

MUTANTS: Final[dict[str, str]] = {
    "C12-settings-half-altered": "a request with a wrong setting is refused, and its first is set",
    "C3-answer-from-before-a-seek": "our consumer takes an answer to what it asked before a seek",
    "C6-read-past-watermark": "consumers read up to the log's end, not to the high watermark",
    "D9-ack-before-flush": "with ottla.flush=ack, the acknowledgment does not wait for the disk",
    "D9-timeout-acknowledged": "a Produce whose flush takes too long is told that all is well",
    "KIP13-each-window-anew": "what was used is forgotten with each new window",
    "KIP13-fetch-served-above": "a fetch above its client's quota brings its records all the same",
    "KIP55-quota-of-another": "a quota of one client id or user holds for all of them",
    "KIP124-longer-than-a-window": "who used much time waits for all of it at once",
    "KIP599-nothing-is-owed": "topics that were made are not taken from the bucket",
    "KIP219-told-not-muted": "a client is told to wait, and its connection is not muted",
    "KIP546-half-altered": "an entity is refused for its second quota, and its first is set",
    "KIP546-not-obeyed-after-start": "quotas are kept over a restart, and nobody obeys them",
    "KIP107-past-watermark": "DeleteRecords goes beyond the high watermark",
    "KIP107-start-not-kept": "the log's start is not checkpointed with the answer to DeleteRecords",
    "KIP62-fetched-is-committed": "our consumer commits what was fetched, not what was handed out",
    "KIP62-kept-while-joining": "our eager member reads on while it joins",
    "KIP320-position-not-checked": "our consumer reads on after a cut as if nothing had been replaced",
    "KIP429-revoked-is-read-on": "our cooperative member reads on what a generation took away",
    "KIP534-tombstone-goes-at-once": "a tombstone goes with the first cleaning that meets it",
    "M02-behind-the-cut": "recovery cuts a damaged segment and keeps the segments behind it",
    "M02-epoch-kept": "partitions keep their leader epoch after a power cut",
    "M02-gap-believed": "recovery keeps a segment although the one before it lost its end",
    "M02-torn-tail-stays": "recovery forgets a torn tail, but leaves it in the file",
    "M04-undefined-epoch-answered": "the end of an undefined epoch is answered with the log's end",
    "M06-epoch-not-kept": "a new leader epoch is not written to the epoch checkpoint",
    "M07-epochs-of-deleted": "the epoch history keeps epochs whose records were deleted",
    "M08-epochs-beyond-end": "the epoch history keeps epochs beyond the end that recovery found",
    "M09-epochs-unsynced": "the epoch checkpoint is never synced",
    "M16-killed-taken-for-flushed": "after a kill, all that is in the page cache counts as flushed",
    "M17-producers-of-truncated": "a truncated log keeps the producers of what it lost",
    "M18-compaction-past-watermark": "compaction goes beyond the high watermark",
    "M18-retention-past-watermark": "retention deletes segments beyond the high watermark",
    "M19-inside-batch-skipped": "a read from inside a batch begins with the batch after it",
    "M23-stale-position": "a remembered position is used after a new segment has begun",
    "M32-clean-without-flush": "the marker of a clean stop is written though flushes are missing",
    "M32-recovery-point-ahead": "the recovery point is the log's end, not what was flushed",
    "M33-directory-unsynced": "the directory is not synced when a segment is created in it",
    "M34-snapshot-unsynced": "producer snapshots are not synced before the recovery point passes",
    "M35-failed-flush-believed": "a flush that failed is taken for one that succeeded",
    "M37-end-before-write": "the log's end moves before the data is written",
    "M37-index-after-data": "the index is written after the data, before the log's end moves",
    "M38-swap-undone": "recovery removes a compacted segment whose originals are gone",
    "M38-swap-without-sync": "a compacted segment replaces its originals before it is synced",
    "M39-equal-time-skipped": "a look-up passes over a segment whose largest time is the one asked",
    "M39-last-time-missing": "a sealed segment's largest time is missing in its time index",
    "M39-sealed-unsynced": "a sealed segment's files do not hold the recovery point back",
    "M39-unmapped-goes": "what the map of keys had no room for goes as if it were old",
    "M40-checksum-not-tested": "recovery does not test checksums",
    "M40-served-untested": "whatever is served passes for tested a moment ago",
    "M41-any-offset-appended": "batches that carry their offsets are appended whatever these are",
    "M60-flush-of-predecessor": "a deleted topic's flush counts for the topic made anew",
    "M60-name-for-id": "a fetch by the id of a deleted topic is served from its successor",
    "M60-predecessor-adopted": "a directory is opened though it holds another topic's id",
    "M62-snapshot-without-ids": "metadata snapshots omit the next producer id",
    "M62-snapshot-without-quotas": "metadata snapshots omit the quotas",
    "M62-snapshot-without-settings": "metadata snapshots omit the topics' settings",
    "M63-answer-before-commit": "the controller answers before its entry is on the disk",
    "M63-entry-in-pieces": "a decision is written as two entries",
    "M63-ids-before-commit": "producer ids leave before their block is committed",
    "M70-gap-accepted": "a gap in a producer's sequences is accepted",
    "M70-last-batch-only": "only a producer's last batch is recognized when it comes again",
    "M70-retry-appended": "a batch that comes again is appended again",
    "M72-producers-deleted-with-records": "retention forgets the producers of what it deletes",
    "M73-last-batch-goes": "compaction leaves nothing of a producer's last batch",
    "M73-producers-not-replayed": "a start does not replay the batches behind the snapshot",
    "M75-sequence-before-write": "a producer's sequence moves before the data is written",
    "M82-marker-of-kept-data-goes": "a commit marker goes while records of its transaction stay",
    "M90-served-while-loading": "a coordinator is asked before it has read its log",
    "M90-tombstones-skipped": "what was deleted comes back when a coordinator reads its log",
    "M91-assignment-of-another": "every member is told the first member's assignment",
    "M91-committed-past-members": "a group takes commits from outside while members are in",
    "M91-old-generation-commits": "a commit of an older generation is taken",
    "M91-sessions-never-end": "a member that says nothing more stays in its group",
    "M91-told-before-commit": "members are told what is not yet on the disk",
    "M92-replacement-not-written": "the new id of a static member that is back is not written",
    "M92-return-disturbs": "a static member that comes back sets off a rebalance",
    "M93-joins-never-close": "a rebalance waits for members that are gone",
    "M93-syncs-never-close": "a group waits for a leader that is gone",
    "M94-active-offsets-expire": "offsets of a group that reads the topic expire",
    "M94-retention-since-the-commit": "offsets' retention does not wait for the group to be empty",
    "M95-starved": "what a session was served stays first in its order",
    "M95-told-too-much": "a session takes note of a high watermark that it did not tell",
    "M97-parked-for-ever": "what a closed connection had parked is not forgotten",
}

ACK: Final = "ottla.flush=ack"
RETENTION: Final = "retention"
COMPACTION: Final = "compaction"
CONSUMER: Final = "our consumer"
MEMBER: Final = "our member"

NEEDS: Final[dict[str, tuple[Blow | Verb | str, ...]]] = {
    "C3-answer-from-before-a-seek": (CONSUMER,),
    "KIP62-fetched-is-committed": (MEMBER,),
    "KIP62-kept-while-joining": (MEMBER,),
    "KIP429-revoked-is-read-on": (MEMBER,),
    "KIP534-tombstone-goes-at-once": (COMPACTION,),
    "KIP13-each-window-anew": (Verb.QUOTA,),
    "KIP13-fetch-served-above": (Verb.QUOTA,),
    "KIP55-quota-of-another": (Verb.QUOTA,),
    "KIP124-longer-than-a-window": (Verb.QUOTA,),
    "KIP599-nothing-is-owed": (Verb.QUOTA,),
    "KIP219-told-not-muted": (Verb.QUOTA,),
    "KIP546-half-altered": (Verb.QUOTA,),
    "KIP546-not-obeyed-after-start": (Verb.QUOTA,),
    "M62-snapshot-without-quotas": (Verb.QUOTA,),
    "KIP107-past-watermark": (ACK, Blow.SLOW_SYNC, Verb.DELETE_BEFORE),
    "M09-epochs-unsynced": (Blow.POWER, Blow.KILL),
    "M16-killed-taken-for-flushed": (ACK, Blow.KILL, Blow.POWER, Blow.SLOW_SYNC),
    "M18-retention-past-watermark": (ACK, Blow.SLOW_SYNC, RETENTION),
    "M32-clean-without-flush": (Blow.STOP, Blow.SYNC_ERROR, Blow.POWER),
    "M34-snapshot-unsynced": (ACK, Blow.POWER, Verb.DELETE_BEFORE),
    "M37-index-after-data": (Blow.WRITE_ERROR,),
    "M38-swap-undone": (COMPACTION,),
    "M38-swap-without-sync": (COMPACTION, Blow.POWER),
    "M39-unmapped-goes": (COMPACTION,),
    "M73-last-batch-goes": (COMPACTION,),
    "M60-predecessor-adopted": (Blow.POWER, Verb.DELETE),
    "C12-settings-half-altered": (Verb.ALTER,),
    "M90-served-while-loading": (Verb.JOIN,),
    "M90-tombstones-skipped": (Verb.JOIN,),
    "M91-assignment-of-another": (Verb.JOIN,),
    "M91-committed-past-members": (Verb.JOIN,),
    "M91-old-generation-commits": (Verb.JOIN, Verb.COMMIT),
    "M91-sessions-never-end": (Verb.JOIN,),
    "M91-told-before-commit": (ACK, Verb.JOIN, Blow.POWER),
    "M92-replacement-not-written": (Verb.JOIN, Verb.VANISH),
    "M92-return-disturbs": (Verb.JOIN, Verb.VANISH),
    "M93-joins-never-close": (Verb.JOIN,),
    "M93-syncs-never-close": (Verb.JOIN, Verb.VANISH),
    "M94-active-offsets-expire": (Verb.JOIN, Verb.COMMIT),
}
"""What a world must have for the mistake to matter. Worlds without it are not run."""

BY_TEST: Final[dict[str, str]] = {
    "KIP320-position-not-checked": "tests/unit/client/consume/test_reader.py",
    "M04-undefined-epoch-answered": "tests/unit/core/log/test_epoch_history.py",
    "M08-epochs-beyond-end": "tests/unit/core/log/test_recovery.py",
    "M17-producers-of-truncated": "tests/unit/core/log/test_truncate.py",
    "M18-compaction-past-watermark": "tests/unit/core/log/test_compaction.py",
    "M34-snapshot-unsynced": "tests/unit/core/log/test_log.py",
    "M41-any-offset-appended": "tests/unit/core/log/test_log.py",
    "M60-flush-of-predecessor": "tests/unit/core/replica/test_orphan_flush.py",
    "M82-marker-of-kept-data-goes": "tests/unit/core/log/test_compaction.py",
    "M94-retention-since-the-commit": "tests/unit/broker/test_group_offsets.py",
}
"""Mistakes that a world of one node has no way to suffer from, or hardly ever does; a test must fail
with them instead. M08, M34, M60 and M94 could matter there: no seed below 10,000, 50,000, 35,000 or
50,000 showed it. KIP320 could too, where a log grows beyond what it lost before a consumer is back."""

_SWITCH: Final = re.compile(r'probe\.mutant\(\s*"([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`seed` None: no world killed it, in so many `seeds`; `test`: but that test did. `found`: which
    promise, and what was said."""

    name: str
    seed: int | None
    seeds: int
    seconds: float
    found: str
    test: str = ""

    @property
    def is_killed(self) -> bool:
        return self.seed is not None or bool(self.test)

    @property
    def fate(self) -> str:
        if self.test:
            return "a test"
        return f"not in {self.seeds:,}" if self.seed is None else f"{self.seed:,}"


class Hangs(BaseException):
    """A world with a mutant in it makes no progress."""


def _hangs(number: int, frame: object) -> None:
    raise Hangs


def violations(seed: int, mutant: str | None) -> list[str]:
    """What the checkers say of that seed's world."""
    probe.breed(*([mutant] if mutant else []))
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANGS_AFTER_S)
    try:
        return list(try_plan(draw_plan(seed)).problems)
    except Hangs:
        return [f"machines are sound: the world still runs after {HANGS_AFTER_S} s"]
    except (AssertionError, ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
        return [f"machines are sound: {type(error).__name__} left the world: {error}"]
    finally:
        signal.alarm(0)
        probe.breed()


def matters(plan: Plan, needs: tuple[Blow | Verb | str, ...]) -> bool:
    """Does the plan have all that is needed?"""
    has: set[Blow | Verb | str] = {plan.heal}
    has |= {fault.blow for fault in plan.faults}
    has |= {ask.verb for ask in plan.asks}
    if Blow.POWER_AT in has:
        has.add(Blow.POWER)
    if Blow.KILL_AT in has:
        has.add(Blow.KILL)
    if dict(plan.settings).get("ottla.flush") == "ack":
        has.add(ACK)
    if any(key.startswith("retention.") for ask in plan.asks for key, _ in ask.configs):
        has.add(RETENTION)
    if any(ask.keys for ask in plan.asks):
        has.add(COMPACTION)
    own = [one for one in plan.clients if one.role is Role.OWN_CONSUMER]
    if own:
        has.add(CONSUMER)
    if any(one.group for one in own):
        has.add(MEMBER)
    return has.issuperset(needs)


def hunt(name: str, seeds_max: int, seconds_max: float) -> Result:
    """Run seeds, or its test, until the mutant is killed."""
    if name in BY_TEST:
        return by_test(name, BY_TEST[name])
    logging.disable(logging.CRITICAL)
    gc.disable()
    begun_s = time.monotonic()
    needs = NEEDS.get(name, ())
    seed = 0
    while seed < seeds_max and time.monotonic() - begun_s < seconds_max:
        if needs and not matters(draw_plan(seed), needs):
            seed += 1
            continue
        found = violations(seed, name)
        if found and not violations(seed, None):
            seconds = time.monotonic() - begun_s
            return Result(name=name, seed=seed, seeds=seed + 1, seconds=seconds, found=found[0])
        seed += 1
        if seed % 50 == 0:
            gc.collect()
    return Result(
        name=name, seed=None, seeds=seed, seconds=time.monotonic() - begun_s, found="nothing"
    )


def by_test(name: str, test: str) -> Result:
    """A test must pass without the mistake and fail with it."""
    begun_s = time.monotonic()
    passes = _pytest(test, "") == 0
    fails = _pytest(test, name) == 1
    return Result(
        name=name,
        seed=None,
        seeds=0,
        seconds=time.monotonic() - begun_s,
        found=f"{test} {'fails' if passes and fails else 'tells no difference'}",
        test=test if passes and fails else "",
    )


def _pytest(test: str, mutant: str) -> int:
    program = (
        "import sys; from ottla import probe; probe.breed(*sys.argv[2:]); import pytest; "
        "sys.exit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", program, test, *([mutant] if mutant else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=False)
    return done.returncode


def switches() -> set[str]:
    """The mutants that the code knows."""
    found: set[str] = set()
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name != "probe.py":
            found.update(_SWITCH.findall(path.read_text(encoding="utf-8")))
    return found


def page(results: list[Result]) -> str:
    killed = [one for one in results if one.is_killed]
    lines = [
        "# Mutants",
        "",
        "Generated by `tools/mutants.py` (`make mutants`). Each row is a mistake that brokers or clients of this",
        "kind have made, kept behind a switch (`ottla.probe`). The simulator runs one seed after the",
        "other until a checker objects to a world that is sound without the mistake. What a world of",
        "one node can't suffer from, or hardly ever does, is left to a test, which must then fail.",
        "",
        f"{len(killed)} of {len(results)} are killed.",
        "",
        "| mutant | the mistake | first failing seed | seconds | the promise that is broken |",
        "|---|---|--:|--:|---|",
    ]
    for one in results:
        found = re.split(r" at [0-9.]+ ms: ", one.found)[0] if one.seed is not None else "–"
        lines.append(
            f"| {one.name} | {MUTANTS[one.name]} | {one.fate} | {one.seconds:.1f} | "
            f"{f'`{one.test}`' if one.test else found} |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names, or how they begin")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="at most, for each mutant")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="at most, for each")
    parser.add_argument("--check", action="store_true", help="only compare switches and table")
    asked = parser.parse_args()
    if switches() != set(MUTANTS):
        print("without a switch:", sorted(set(MUTANTS) - switches()))
        print("not in the table:", sorted(switches() - set(MUTANTS)))
        return 1
    if asked.check:
        return 0
    names = sorted(MUTANTS)
    if asked.only:
        names = [name for name in names if name.startswith(tuple(asked.only))]
    results: list[Result] = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        hunts = [pool.submit(hunt, name, asked.seeds, asked.seconds) for name in names]
        for done in as_completed(hunts):
            one = done.result()
            results.append(one)
            print(f"{one.name:38} {one.fate:18} {one.seconds:7.1f} s  {one.found}", flush=True)
    alive = sorted(one.name for one in results if not one.is_killed)
    print(f"{len(results) - len(alive)} of {len(results)} killed", *alive)
    if not asked.only:
        PAGE.write_text(page(sorted(results, key=lambda one: one.name)), encoding="utf-8")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
