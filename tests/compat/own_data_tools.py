"""Our tools that move and show records beside Apache Kafka's own: the same words, the same broker.

    tests/compat/own_data_tools.py                       against Apache Kafka
    tests/compat/own_data_tools.py --against ottla       against Ottla
    tests/compat/own_data_tools.py --only dump-log       one tool (may be repeated)

Each line is run by both, and what they print on stdout and their exit codes must be equal, byte for byte.
Tools that measure have their numbers replaced first; those that tell events, their times. What a producer
wrote is read back by Apache's consumer. `%` is another letter for each side. `own_tools.py` has the tools
for administrators.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from apache import ApacheKafka
from broker import ROOT, Broker, Ottla
from checks import Wrong
from install import Java, java

TABLE: Final = "Our tools for records"
COLUMN: Final = "as Apache's"
TOOL_SECONDS_MAX: Final = 60
SIDES: Final = ("j", "o")
Row = tuple[str, str, Callable[[], str | None]]

TOOLS: Final = "org.apache.kafka.tools."
MAIN_CLASSES: Final = {
    "console-consumer": f"{TOOLS}consumer.ConsoleConsumer",
    "console-producer": f"{TOOLS}ConsoleProducer",
    "consumer-perf-test": f"{TOOLS}ConsumerPerformance",
    "dump-log": f"{TOOLS}DumpLogSegments",
    "e2e-latency": f"{TOOLS}EndToEndLatency",
    "producer-perf-test": f"{TOOLS}ProducerPerformance",
    "verifiable-consumer": f"{TOOLS}VerifiableConsumer",
    "verifiable-producer": f"{TOOLS}VerifiableProducer",
}

# What is typed, and how; read back with everything.
TYPED: Final = (
    ("one\ntwo\n\nthree", ""),
    (
        "h:1,g:2\tk\tv\nNULL\tk2\tv2\nh:NULL\tk3\tNULL\n",
        (
            "--reader-property parse.key=true --reader-property parse.headers=true "
            "--reader-property null.marker=NULL --compression-codec zstd"
        ),
    ),
    ("a:b\nno separator\nc:d\n", "--property parse.key=true --property key.separator=:"),
    (
        "a:b\nno separator\nc:d\n",
        "--property parse.key=true --property key.separator=: --property ignore.error=true",
    ),
    ("a\r\nb\udcff\udcfec\n", "--compression-codec --sync"),
    ("h1,h2:x\tv\n", "--property parse.headers=true"),
    ("x\n", "--reader-property headers.separator=:"),
    ("x\n", "--command-property acks=foo"),
    ("x\ny\n", "--request-required-acks 0 --batch-size 10 --producer-property linger.ms=5"),
)
EVERYTHING: Final = (
    "--formatter-property print.key=true --formatter-property print.headers=true "
    "--formatter-property print.offset=true --formatter-property print.partition=true"
)
RECORDS: Final = (
    "h1:v1,h2:v2\tk1\tvalue one\nNULL\tk2\tNULL\nh:x\tk3\tümlaut\nNULL\t1234\t5678\n",
    TYPED[1][1],
)
SERIALIZATION: Final = "org.apache.kafka.common.serialization."
FROM_START: Final = "--topic records --partition 0 --offset earliest"
CONSUMED: Final = f"""
    {FROM_START} --max-messages 4
    {FROM_START} --max-messages 4 {EVERYTHING} --formatter-property print.timestamp=true
    {FROM_START} --max-messages 2 {EVERYTHING} --formatter-property print.epoch=true --formatter-property print.delivery=true
    {FROM_START} --max-messages 4 --formatter-property print.key=true --formatter-property print.value=false
    {FROM_START} --max-messages 4 --formatter-property print.value=false
    {FROM_START} --max-messages 4 {EVERYTHING} --formatter-property key.separator=:: --formatter-property null.literal=NIL
    {FROM_START} --max-messages 4 {EVERYTHING} --formatter-property headers.separator=; --formatter-property line.separator=EOL
    {FROM_START} --max-messages 4 --value-deserializer {SERIALIZATION}StringDeserializer
    {FROM_START} --max-messages 4 --value-deserializer {SERIALIZATION}BytesDeserializer
    {FROM_START} --max-messages 4 --value-deserializer {SERIALIZATION}IntegerDeserializer
    {FROM_START} --max-messages 2 --formatter-property print.key=true --key-deserializer {SERIALIZATION}ShortDeserializer
    --topic records --partition 0 --offset 3 --max-messages 1
    --topic records --partition 0 --from-beginning --max-messages 1
    --topic records --partition 0 --offset latest --timeout-ms 1500
    --topic records --from-beginning --max-messages 3
    --topic records --group g-% --from-beginning --max-messages 3
    --topic records --group g-% --timeout-ms 3000 --isolation-level read_committed
    --include recor.s --from-beginning --max-messages 4
    {FROM_START} --max-messages 2 --formatter {TOOLS}consumer.NoOpMessageFormatter
    {FROM_START} --max-messages 2 --formatter {TOOLS}consumer.LoggingMessageFormatter
    {FROM_START} --max-messages 2 --formatter com.example.Nope
    --topic __consumer_offsets --partition 0 --offset earliest --max-messages 12 --formatter {TOOLS}consumer.OffsetsMessageFormatter
    --topic __consumer_offsets --partition 0 --offset earliest --max-messages 12 --formatter {TOOLS}consumer.GroupMetadataMessageFormatter
    --max-messages 1
    --topic records --offset 3
    --topic records --partition 0 --offset -3
    --topic records --partition 0 --group g
    --topic records --from-beginning --command-property auto.offset.reset=latest
    """
NUMBER: Final = re.compile(r"\d+(?:\.\d+)?(?:E-?\d+)?")
TIME: Final = re.compile(r'(?<="timestamp":)\d+')
RATE: Final = re.compile(r'(?<="avg_throughput":)[\d.E-]+')
DEPRECATED: Final = re.compile(r"(?m)^(?:Option|Warning:) --\S+ (?:is|has been) deprecated.*\n")
"""Apache's says so among the records; ours does not."""


WINDOW: Final = re.compile(r"max latency\.$|^In steady state\.$")
DUMPED: Final = re.compile(r"(?:__.*|records|perf-j|sure-j)-\d+")


class Said(NamedTuple):
    code: int
    out: str
    err: str


class DataTools:
    """Both sides, aimed at one broker, of whose files `data` is the directory."""

    def __init__(self, broker: Broker, runtime: Java, data: Path, scratch: Path) -> None:
        self._bootstrap = broker.bootstrap
        self._java = runtime
        self._data = data
        self._scratch = scratch
        self._count = 0

    def rows(self, only: list[str] | None = None) -> list[Row]:
        """`dump-log` comes last: it reads what the others left."""
        checks = {
            "console-producer": self.console_producer,
            "console-consumer": self.console_consumer,
            "producer-perf-test": self.producer_perf_test,
            "consumer-perf-test": self.consumer_perf_test,
            "e2e-latency": self.e2e_latency,
            "verifiable-producer": self.verifiable_producer,
            "verifiable-consumer": self.verifiable_consumer,
            "dump-log": self.dump_log,
        }
        return [
            (f"kafka-{name}", COLUMN, functools.partial(self._checked, check))
            for name, check in checks.items()
            if not only or name in only
        ]

    def _checked(self, check: Callable[[], None]) -> str:
        self._count = 0
        check()
        return f"{self._count} lines"

    # ---- one check per tool

    def console_producer(self) -> None:
        for number, (typed, words) in enumerate(TYPED):
            self._alike("console-producer", f"--topic typed-{number}-% {words}", typed=typed)
            theirs, ours = (self._read_back(f"typed-{number}-{side}") for side in SIDES)
            if theirs != ours:
                raise Wrong(f"{words}: {ours!r} was written, not {theirs!r}")

    def console_consumer(self) -> None:
        typed, words = RECORDS
        self._java_tool("console-producer", f"--topic records {words}", typed)
        # A group's first offsets, so that the coordinator's topic has records for both.
        self._java_tool("verifiable-consumer", "--topic records --group-id first --max-messages 4")
        for line in CONSUMED.strip().splitlines():
            theirs, ours = self._alike("console-consumer", line.strip())
            told = [said.err.rpartition("Processed")[2].strip() for said in (theirs, ours)]
            if theirs.code == 0 and told[0] != told[1]:
                raise Wrong(f"{line.strip()}: Processed {told[1]}, not {told[0]}")

    def producer_perf_test(self) -> None:
        words = "--topic perf-% --num-records 6000 --throughput 3000"
        for more in (
            "--record-size 100 --warmup-records 3000 --reporting-interval 400",
            "--payload-monotonic --command-property acks=1 linger.ms=1",
        ):
            self._alike("producer-perf-test", f"{words} {more}", alike=shapes)

    def consumer_perf_test(self) -> None:
        for words in (
            "--num-records 3000",
            "--messages 4000 --hide-header",
            "--num-records 9000 --timeout 1500",
        ):
            self._alike("consumer-perf-test", f"--topic perf-% {words}", alike=shapes)

    def e2e_latency(self) -> None:
        words = "--topic e2e-% --num-records 20 --producer-acks all --record-size 20"
        for more in ("", "--record-key-size 3 --num-headers 2 --record-header-size 4"):
            self._alike("e2e-latency", f"{words} {more}", alike=shapes)

    def verifiable_producer(self) -> None:
        for more in ("--max-messages 3", "--max-messages 2 --repeating-keys 2 --value-prefix 7"):
            self._alike("verifiable-producer", f"--topic sure-% {more}", alike=timeless)
        wrong = "--topic not+possible --max-messages 1"
        self._alike("verifiable-producer", wrong, alike=wordless)

    def verifiable_consumer(self) -> None:
        for more in (
            "--max-messages 5",
            "--max-messages 0",
            "--enable-autocommit --max-messages 5",
        ):
            group = f"--group-id sure-{len(more)}-%"
            words = f"--topic sure-% {group} --verbose {more}"
            self._alike("verifiable-consumer", words, alike=timeless)

    def dump_log(self) -> None:
        files = self._scratch / "dumped"
        decoders = {
            "__consumer_offsets": "--offsets-decoder",
            "__transaction_state": "--transaction-log-decoder",
            "__cluster_metadata": "--cluster-metadata-decoder",
        }
        for directory in sorted(self._data.glob("*-*/")):
            if DUMPED.fullmatch(directory.name) is None:
                continue
            # A copy, which nobody changes between the two.
            shutil.copytree(directory, files / directory.name)
            here = files / directory.name
            decoder = decoders.get(directory.name.rpartition("-")[0], "--print-data-log")
            for log in sorted(here.glob("*.log")):
                self._alike("dump-log", f"--files {log} {decoder}")
            if directory.name == "records-0":
                log = here / "00000000000000000000.log"
                self._alike("dump-log", f"--files {log}")
                self._alike("dump-log", f"--files {log} {decoder} --skip-record-metadata")
                self._alike("dump-log", f"--files {log} --offsets-decoder --max-bytes 100")
                self._alike("dump-log", f"--files {log} --deep-iteration --max-bytes 700")
            others = [
                str(path)
                for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot", "leader*")
                for path in sorted(here.glob(pattern))
            ]
            if others:
                self._alike("dump-log", f"--files {','.join(others)}")
                self._alike("dump-log", f"--files {','.join(others)} --verify-index-only")
        self._alike("dump-log", "--files /nowhere/00000000000000000000.log")

    # ---- running

    def _alike(
        self,
        tool: str,
        line: str,
        *,
        typed: str = "",
        alike: Callable[[str], str] = lambda out: out,
    ) -> tuple[Said, Said]:
        """What both said. Raises Wrong where that is not the same."""
        self._count += 1
        theirs = self._java_tool(tool, line.replace("%", SIDES[0]), typed)
        ours = self._own_tool(tool, line.replace("%", SIDES[1]), typed)
        expected, got = (alike(sideless(DEPRECATED.sub("", said.out))) for said in (theirs, ours))
        if theirs.code != ours.code:
            raise Wrong(f"{line}: exit code {ours.code}, not {theirs.code}: {ours.err[:300]}")
        if expected != got:
            pairs = zip(expected.splitlines(), got.splitlines(), strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), (expected, got))
            raise Wrong(f"{line}: {first[1][:400]!r}, not {first[0][:400]!r}")
        return theirs, ours

    def _read_back(self, topic: str) -> str:
        words = f"--topic {topic} --partition 0 --offset earliest --timeout-ms 3000 {EVERYTHING}"
        return self._java_tool("console-consumer", words).out

    def _java_tool(self, tool: str, line: str, typed: str = "") -> Said:
        return self._run(self._java.command(MAIN_CLASSES[tool], *self._words(tool, line)), typed)

    def _own_tool(self, tool: str, line: str, typed: str) -> Said:
        ottla = str(ROOT / ".venv" / "bin" / "ottla")
        return self._run([ottla, "kafka", tool, *self._words(tool, line)], typed)

    def _words(self, tool: str, line: str) -> list[str]:
        where = [] if tool == "dump-log" else ["--bootstrap-server", self._bootstrap]
        return [*where, *shlex.split(line)]

    def _run(self, command: list[str], typed: str) -> Said:
        try:
            done = subprocess.run(
                command,
                input=typed.encode(errors="surrogateescape"),
                capture_output=True,
                timeout=TOOL_SECONDS_MAX,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(command[-8:])}: no end after {TOOL_SECONDS_MAX} s") from None
        return Said(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )


def sideless(out: str) -> str:
    """Whatever was named after a side."""
    return functools.reduce(lambda text, side: text.replace(f"-{side}", "-%"), SIDES, out)


def shapes(out: str) -> str:
    """The lines without their numbers. Windows are left out: how many there were is chance."""
    return "\n".join(NUMBER.sub("N", line) for line in out.splitlines() if not WINDOW.search(line))


def wordless(out: str) -> str:
    """Events without what an error says for itself."""
    return re.sub(r'("message":").*', r"\1", timeless(out))


def timeless(out: str) -> str:
    return RATE.sub("N", TIME.sub("N", out))


def rows(broker: Broker, work: Path) -> list[Row]:
    """The table's rows. Raises CannotInstall where there is no Java."""
    assert broker.data_dir is not None
    return DataTools(broker, java(), broker.data_dir, work).rows()


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=("apache", "ottla"), default="apache")
    parser.add_argument("--only", action="append", choices=list(MAIN_CLASSES), metavar="TOOL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="own-data-tools-") as name:
        work = Path(name)
        broker = made(options.against, work)
        broker.start()
        try:
            return report(DataTools(broker, java(), work / "data", work).rows(options.only))
        finally:
            broker.stop()


def made(kind: str, work: Path) -> ApacheKafka | Ottla:
    overrides = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1"}
    if kind == "ottla":
        return Ottla(work / "data", work, overrides=overrides)
    kafka = ApacheKafka(java(), work / "data", work, overrides=overrides)
    kafka.format_directory()
    return kafka


def report(checks: list[Row]) -> int:
    reds = 0
    for row, _, check in checks:
        try:
            print(f"{row}: green, {check()}", flush=True)
        except Wrong as problem:
            reds += 1
            print(f"{row}: RED, {problem}", flush=True)
    return 1 if reds else 0


if __name__ == "__main__":
    sys.exit(main())
