"""A question that is put to several brokers in turns, and what they answered, as a file.

A question's module says what one round measures. Here the brokers are started side by side, asked A B
A B, so that what else the machine does meets everybody, and the rounds go to `results/NAME.json` with
the machine, the commit and the versions. `page.py` makes BENCHMARKS.md of those files.
"""

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

import process
from peer import PEERS, Peer
from process import NotStarted
from wire import Refused

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = HERE / "results"
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
FILES_MAX: Final = 16_384

Answer = Mapping[str, float]
Round = Callable[[], Answer]


class Unanswerable(Exception):
    """This broker can't be asked that; the text says why."""


FAILURES: Final = (NotStarted, Refused, ConnectionError, TimeoutError, ValueError)
"""What may go wrong with a peer, which then has no figures. With Ottla it ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a round. What is asked of it: `asked.py`."""

    name: str
    unit: str
    more_is_better: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is measured, and how. `prepare` starts what a broker needs and gives what measures a round.

    Where `prepare` gives several, they are the parts of a round, and everybody answers one before
    anybody is asked the next: what is compared then lies seconds apart, not minutes.
    The first of `warm_up` rounds is kept as what a cold process does, the others are dropped. `peers`:
    who is asked, where that is not said on the command line. `needs_files`: those that keep their
    records in memory can't be asked.
    """

    name: str
    title: str
    how: str
    figures: tuple[Figure, ...]
    prepare: Callable[[Peer, Path], AbstractContextManager[Round | Sequence[Round]]]
    warm_up: int = 0
    rounds: int = 5
    peers: Mapping[str, Peer] | None = None
    needs_files: bool = False


def run(
    question: Question, peers: Mapping[str, Peer], rounds: int | None = None
) -> dict[str, object]:
    """The brokers' answers as the file has them."""
    rounds = rounds or question.rounds
    began_s, busy_s = time.monotonic(), _busy_seconds()
    own_s, stolen_s = _own_seconds(), _stolen_seconds()
    refused: dict[str, str] = {}
    cold: dict[str, Answer] = {}
    kept: dict[str, list[Answer]] = {name: [] for name in peers}
    with ExitStack() as stack:
        asked: dict[str, Sequence[Round]] = {}
        for name, peer in peers.items():
            if question.needs_files and peer.is_in_memory:
                refused[name] = "it keeps its records in memory"
                continue
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            try:
                prepared = stack.enter_context(question.prepare(peer, place))
            except Unanswerable as reason:
                refused[name] = str(reason)
            except FAILURES as reason:
                refused[name] = _failed(name, reason)
            else:
                asked[name] = (prepared,) if callable(prepared) else prepared
        for number in range(question.warm_up + rounds):
            for name, answer in _in_turns(asked, refused).items():
                if number >= question.warm_up:
                    kept[name].append(answer)
                elif number == 0:
                    cold[name] = answer
    cores_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
    others_s = (_busy_seconds() - busy_s) - (_own_seconds() - own_s)
    return {
        "question": question.name,
        "title": question.title,
        "how": question.how,
        "figures": [asdict(figure) for figure in question.figures],
        "run": {
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": _commit(),
            "rounds": rounds,
            "warm_up": question.warm_up,
            "priority": _priority(),
            "others": round(max(0.0, others_s) / cores_s, 3),
            "stolen": round((_stolen_seconds() - stolen_s) / cores_s, 3),
        },
        "machine": _machine(),
        "peers": {
            name: {
                "title": peer.title,
                "version": peer.version(),
                **({"cold": cold[name]} if name in cold else {}),
                **({"refused": refused[name]} if name in refused else {"rounds": kept[name]}),
            }
            for name, peer in peers.items()
        },
    }


def _in_turns(
    asked: Mapping[str, Sequence[Round]], refused: dict[str, str]
) -> dict[str, dict[str, float]]:
    """One round of all that are asked; who can't answer is `refused` from then on."""
    answers: dict[str, dict[str, float]] = {name: {} for name in asked}
    for at in range(max(map(len, asked.values()), default=0)):
        for name, parts in asked.items():
            if name in refused:
                continue
            try:
                answers[name].update(parts[at]())
            except Unanswerable as reason:
                refused[name] = str(reason)
            except FAILURES as reason:
                refused[name] = _failed(name, reason)
    return {name: answer for name, answer in answers.items() if name not in refused}


def report(result: dict[str, object]) -> Iterator[str]:
    """A table for the terminal: medians, and how many times Apache Kafka's ours is."""
    peers: dict[str, dict[str, list[Answer]]] = result["peers"]  # type: ignore[assignment]
    yield f"{result['title']}"
    widths = {peer: max(12, len(peer) + 2) for peer in peers}
    yield " " * 44 + "".join(f"{peer:>{width}}" for peer, width in widths.items()) + "   ours/each"
    for figure in result["figures"]:  # type: ignore[attr-defined]
        name = figure["name"]
        values = {
            peer: median(answer[name] for answer in rows["rounds"])
            for peer, rows in peers.items()
            if rows.get("rounds") and name in rows["rounds"][0]
        }
        cells = "".join(
            f"{f'{values[peer]:,.2f}' if peer in values else '-':>{width}}"
            for peer, width in widths.items()
        )
        ratios = " ".join(
            f"{peer} {values['ottla'] / value:.2f}"
            for peer, value in values.items()
            if peer != "ottla" and "ottla" in values and value
        )
        yield f"{name + ', ' + figure['unit']:<44}{cells}   {ratios}"
    for peer, rows in peers.items():
        if "refused" in rows:
            yield f"{peer}: {rows['refused']}"


def main(*questions: Question) -> None:
    """The command line of one question, or of all."""
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").strip())
    parser.add_argument("questions", nargs="*", help=f"of: {' '.join(q.name for q in questions)}")
    parser.add_argument("--peers", default="", help=f"with commas, of: {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, help="instead of each question's own")
    parser.add_argument("--no-results", action="store_true", help="only print")
    args = parser.parse_args()
    names = ["ottla", *(name for name in args.peers.split(",") if name not in ("", "ottla"))]
    for name in names:
        if name not in PEERS:
            parser.error(f"no peer is called {name!r}; there are {', '.join(PEERS)}")
    for name in args.questions:
        if name not in {question.name for question in questions}:
            parser.error(f"no question is called {name!r}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, FILES_MAX), hard))
    os.sched_setaffinity(0, {process.LOAD_CORE})
    # However this ends, the brokers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for question in questions:
        if not args.questions or question.name in args.questions:
            peers = question.peers or {name: PEERS[name] for name in names}
            result = run(question, peers, args.rounds)
            print("\n".join(report(result)), end="\n\n", flush=True)
            if not args.no_results:
                RESULTS.mkdir(exist_ok=True)
                text = json.dumps(result, indent=1, ensure_ascii=False)
                (RESULTS / f"{question.name}.json").write_text(text + "\n")


def _failed(name: str, reason: Exception) -> str:
    """What the page says of a peer that broke down."""
    if name == "ottla":
        raise reason
    return f"it failed ({(str(reason).splitlines() or [''])[0]})"


def _busy_seconds() -> float:
    """Of all cores, since the machine's start."""
    user, nice, system, _idle, _waiting, irq, softirq, _stolen = _ticks()
    return (user + nice + system + irq + softirq) / TICKS_PER_S


def _stolen_seconds() -> float:
    """What a virtual machine's cores wanted, and its host gave to others."""
    return _ticks()[-1] / TICKS_PER_S


def _ticks() -> Sequence[int]:
    """Of all cores: user, nice, system, idle, waiting for disks, irq, softirq, stolen (proc(5))."""
    return [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]


def _own_seconds() -> float:
    """This process's and those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _priority() -> int:
    """How far this session stands before others: 0 as they do. Brokers and load are of one session."""
    return -(_autogroup_niceness(Path("/proc/self/autogroup")) or os.nice(0))


def _autogroup_niceness(told: Path) -> int:
    """sched(7). A kernel may group no sessions, and tells a process of the root group an empty line."""
    words = told.read_text().split() if told.exists() else []  # /autogroup-123 nice -5
    return int(words[-1]) if words else 0


def _commit() -> str:
    """What is measured; with a + if it isn't all committed. What the last runs wrote doesn't count."""
    command = ("git", "rev-parse", "--short", "HEAD")
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    rest = (".", ":!bench/results", ":!BENCHMARKS.md")
    is_dirty = subprocess.run(("git", "diff", "--quiet", "HEAD", "--", *rest), cwd=HERE.parent)
    return done.stdout.strip() + ("+" if is_dirty.returncode else "")


def _machine() -> dict[str, str]:
    told = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in told if line.startswith("model name")]
    cpu = names[0] if names else platform.machine()  # Arm's has numbers only
    file_system = subprocess.run(
        ["df", "--output=fstype", tempfile.gettempdir()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-1]
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": f"{os.cpu_count()} x {cpu}",
        "memory": f"{memory_bytes / (1 << 30):.0f} GiB",
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "file_system": file_system,
    }
