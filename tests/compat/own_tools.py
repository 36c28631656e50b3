"""Our `ottla kafka TOOL` beside Apache Kafka's own tool: the same words, the same broker, the same answer.

    tests/compat/own_tools.py                       against Apache Kafka
    tests/compat/own_tools.py --against ottla       against Ottla
    tests/compat/own_tools.py --only topics         one tool (may be repeated)

A tool has a script of lines; each is run by both, and what they print on stdout and their exit codes
must be equal, byte for byte. `%` is another letter for each side, so that both can make, change and remove
something of their own; what follows in the script shows whether they did. A line that begins with `~` is
compared without regard to order, where Apache Kafka's is that of a hash. What is said on stderr is said
to people, and may differ.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import functools
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from apache import ApacheKafka
from broker import ROOT, Broker, Ottla
from checks import Wrong
from install import HERE, Java, java

TABLE: Final = "Our command-line tools"
COLUMN: Final = "as Apache's"
TOOL_SECONDS_MAX: Final = 90
SIDES: Final = ("j", "o")
Row = tuple[str, str, Callable[[], str | None]]

MAIN_CLASSES: Final = {
    "acls": "org.apache.kafka.tools.AclCommand",
    "broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "groups": "org.apache.kafka.tools.GroupsCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "storage": "kafka.tools.StorageTool",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
}

SCRIPTS: Final = {
    "topics": r"""
        --create --topic t-%-a --partitions 3 --replication-factor 1 --config retention.ms=3600000
        --create --topic t-%-a
        --create --topic t-%-a --if-not-exists
        --create --topic t-%_b.c --config cleanup.policy=compact --config retention.ms=1000
        --create --topic 't-% d'
        --create --topic t-%-e --replication-factor 9
        --create --topic t-%-e --partitions 0
        --create --topic t-%-e --replication-factor 0
        --create --topic t-%-e --config foo=bar
        --create --topic t-%-e --config retention.ms
        --create --topic t-%-e --replica-assignment 1,1
        --create --topic t-%-f --replica-assignment 1:1
        --list --topic t-%.*
        --list --topic t-%-none
        -list --exclude-internal --topic=t-%.*
        --describe --topic t-%-a
        ~--describe --topic t-%-a,t-%-e
        --describe --topic t-%-none
        --describe --topic t-%-none --if-exists
        --describe --topic t-%.* --under-replicated-partitions
        --describe --topic t-%-a --at-min-isr-partitions
        --describe --topic t-%-a --unavailable-partitions
        ~--describe --topic t-%.* --topics-with-overrides
        --alter --topic t-%-a --partitions 5
        --alter --topic t-%-a --partitions 4
        --alter --topic t-%-none --partitions 4
        --alter --topic t-%-none --partitions 4 --if-exists
        --describe --topic t-%-a
        --delete --topic t-%-none
        --delete --topic t-%-none --if-exists
        --delete --topic t-%-e
        --list --topic t-%.*
        --list --create
        --create
        --alter --topic t-%-a
        --alter --topic t-%-a --config a=b
        --list --partitions 3
        --list --bogus
        --list --topic
        --create --topic t-%-g --replica-assignment 1 --partitions 2
        """,
    "consumer-groups": r"""
        !topics --create --topic g-% --partitions 3
        !topics --create --topic g-%-2 --partitions 1
        --describe --group g-%-none
        --describe --group g-%-none --members
        --delete --group g-%-none
        ~--reset-offsets --group g-% --topic g-% --to-earliest
        ~--reset-offsets --group g-% --topic g-%:0,1 --topic g-%-2 --to-offset 5 --execute
        ~--reset-offsets --group g-% --all-topics --to-latest --export --dry-run
        ~--reset-offsets --group g-% --topic g-% --by-duration PT1H --dry-run
        ~--reset-offsets --group g-% --topic g-% --to-datetime 2020-01-01T00:00:00.000 --dry-run
        ~--reset-offsets --group g-% --topic g-%:0 --shift-by 4 --dry-run
        --reset-offsets --group g-% --topic g-% --shift-by -1 --dry-run
        --reset-offsets --group g-% --topic g-%-none --to-earliest --dry-run
        ~--reset-offsets --group g-% --topic g-% --to-current --dry-run
        --reset-offsets --group g-% --topic g-% --dry-run
        --reset-offsets --group g-% --to-current --dry-run
        --reset-offsets --group g-% --topic g-% --to-current --to-latest --dry-run
        --reset-offsets --group g-% --topic g-% --to-current --execute --dry-run
        ~--reset-offsets --group g-% --from-file {plan} --dry-run
        --list --state bogus
        --list --type bogus
        --describe --group g-%
        --describe --group g-% --verbose
        --describe --group g-% --offsets
        --describe --group g-% --members
        --describe --group g-% --members --verbose
        --describe --group g-% --state
        --describe --group g-% --state --verbose
        --describe --group g-% --state --members
        --describe
        --delete-offsets --group g-% --topic g-%:1
        --delete-offsets --group g-% --topic g-%-none
        --delete-offsets --group g-%-none --topic g-%
        --delete-offsets --group g-%
        --describe --group g-%
        --delete --group g-% --group g-%-none
        --delete --group g-%
        --validate-regex a.*
        ~--list
        ~--list --state
        ~--list --type --state stable
        ~--describe --all-groups --state
        ~--describe --all-groups
        ~--describe --all-groups --members --verbose
        ~--describe --all-groups --state --verbose
        """,
    "configs": r"""
        !topics --create --topic c-%
        --describe --topic c-%
        --alter --topic c-% --add-config retention.ms=5000,cleanup.policy=[compact,delete]
        --describe --topic c-%
        --describe --entity-type topics --entity-name c-%
        --describe --topic c-%-none
        --describe --topic c-% --all
        --alter --topic c-% --delete-config retention.ms,none
        --describe --topic c-%
        --alter --topic c-% --add-config foo=bar
        --alter --topic c-% --add-config retention.ms
        --alter --topic c-%-none --add-config retention.ms=1
        --alter --topic c-%
        --alter --entity-type topics --add-config retention.ms=1
        --alter --broker-defaults --add-config log.retention.ms=7000000
        --describe --broker-defaults
        --describe --entity-type brokers
        --alter --broker-defaults --delete-config log.retention.ms
        --alter --broker 1 --add-config log.cleaner.backoff.ms=16000
        --describe --broker 1
        --alter --broker 1 --delete-config log.cleaner.backoff.ms
        --describe --broker 1 --all
        --alter --broker 1 --add-config log.dir=/x
        --describe --broker x
        --alter --user u-% --add-config producer_byte_rate=1024
        --alter --user u-% --client c --add-config producer_byte_rate=1024,consumer_byte_rate=2.5e3
        --alter --client c-% --add-config request_percentage=12.5
        --alter --ip-defaults --add-config connection_creation_rate=70000
        --describe --user u-%
        --describe --user u-% --client c
        --describe --client c-%
        --describe --client-defaults
        --describe --entity-type ips
        ~--describe --entity-type users --entity-type clients
        --alter --user u-% --delete-config producer_byte_rate
        --alter --user u-% --client c --delete-config producer_byte_rate,consumer_byte_rate
        --alter --client c-% --delete-config request_percentage
        --alter --ip-defaults --delete-config connection_creation_rate
        --describe --user u-%
        --alter --client c-% --add-config producer_byte_rate=abc
        --alter --client c-% --add-config foo=abc
        --alter --group g-% --add-config consumer.session.timeout.ms=50000
        --describe --group g-%
        --alter --group g-% --delete-config consumer.session.timeout.ms
        --alter --client-metrics m-% --add-config interval.ms=5000
        --describe --client-metrics m-%
        --alter --client-metrics m-% --delete-config interval.ms
        --alter --broker-logger 1 --add-config nosuch=ERROR
        --alter --broker-logger 1 --add-config root=INFO
        --describe --entity-type bogus
        --describe
        --alter --describe --topic c-%
        --describe --topic c-% --add-config a=b
        """,
    "configs-scram": r"""
        !configs --alter --user s-% --add-config SCRAM-SHA-256=[iterations=8192,password=secret]
        !configs --describe --user s-%
        !configs --alter --user s-% --add-config SCRAM-SHA-256=[iterations=5,password=x]
        !configs --alter --user s-% --delete-config SCRAM-SHA-256
        !configs --describe --user s-%
        !configs --alter --user s-% --delete-config SCRAM-SHA-512
        """,
    "get-offsets": r"""
        !topics --create --topic o-% --partitions 3
        !topics --create --topic o-%-2
        --topic o-%
        --topic o-%-none
        --topic o-%.* --partitions 0,2
        --topic-partitions o-%:0-2,o-%-2
        ~--topic-partitions o-%:1-,:0
        --topic o-% --time earliest
        --topic o-% --time -2
        --topic o-% --time max-timestamp
        --topic o-% --time 1000
        --topic o-% --time bogus
        --topic o-% --partitions 9
        --topic o-% --partitions x
        --topic o-% --topic-partitions o-%:0
        --exclude-internal-topics --topic o-%
        """,
    "delete-records": r"""
        !topics --create --topic d-% --partitions 2
        ~--offset-json-file {records}
        --offset-json-file {records-twice}
        --offset-json-file {version-2}
        --offset-json-file {broken}
        --offset-json-file none
        """,
    "broker-api-versions": "",
    "log-dirs": r"""
        !topics --create --topic l-% --partitions 1
        --describe --topic-list l-%
        --describe --topic-list l-%-none
        --describe --topic-list l-% --broker-list 1
        --describe --broker-list 7
        --topic-list l-%
        """,
    "leader-election": r"""
        !topics --create --topic e-% --partitions 2
        --election-type preferred --topic e-% --partition 0
        --election-type unclean --topic e-% --partition 1
        ~--election-type preferred --path-to-json-file {election}
        --election-type preferred --topic e-%
        --election-type preferred
        --topic e-%
        """,
    "reassign-partitions": r"""
        !topics --create --topic r-% --partitions 2
        --generate --topics-to-move-json-file {to-move} --broker-list 1
        --generate --topics-to-move-json-file {to-move} --broker-list 1,1
        --execute --reassignment-json-file {plan-to-1}
        --execute --reassignment-json-file {plan-to-2}
        --execute --reassignment-json-file {plan-to-1} --throttle 50000
        !topics --describe --topic r-%
        --verify --reassignment-json-file {plan-to-1} --preserve-throttles
        --verify --reassignment-json-file {plan-to-1}
        !topics --describe --topic r-%
        --list
        --cancel --reassignment-json-file {plan-to-1}
        --cancel --reassignment-json-file {plan-to-1} --preserve-throttles
        --execute
        --list --execute
        """,
    "groups": r"""
        !topics --create --topic gg-%
        !consumer-groups --reset-offsets --group gg-% --topic gg-% --to-latest --execute
        ~--list
        ~--list --consumer
        ~--list --group-type classic
        --list --protocol consumer
        --list --group-type bogus
        --list --share
        """,
    "cluster": r"""
        cluster-id
        list-endpoints
        unregister --id 77
        """,
    "features": r"""
        describe
        version-mapping --release-version 4.0
        upgrade --feature metadata.version=200
        upgrade --release-version 4.3 --dry-run
        upgrade --feature metadata.version=30
        """,
    "metadata-quorum": r"""
        describe --status
        describe --replication
        """,
    "client-metrics": r"""
        --alter --name cm-% --interval 5000 --metrics a.,b. --match client_id=x
        --describe --name cm-%
        --alter --name cm-% --interval 6000
        --describe --name cm-%
        --delete --name cm-%
        --delete --name cm-%
        --list
        --alter
        """,
    "acls": r"""
        ~--add --allow-principal User:a --operation Read --operation DescribeConfigs --topic a-%
        --add --deny-principal User:b --deny-host 10.0.0.1 --group a-% --operation All
        ~--add --allow-principal User:a --producer --topic p-% --resource-pattern-type prefixed
        ~--add --allow-principal User:a --consumer --topic a-% --group a-%
        --add --allow-principal User:a --operation Write --group a-%
        --add --operation Read
        --add --operation Read --topic a-%
        --add --allow-principal User:a --topic a-% --resource-pattern-type any
        ~--list --topic a-%
        ~--list --topic p-% --resource-pattern-type prefixed
        ~--list --topic p-%-more --resource-pattern-type match
        ~--list --topic a-% --group a-% --principal User:b
        ~--list --topic a-% --principal User:none
        --remove --force --allow-principal User:a --operation Read --topic a-%
        ~--list --topic a-%
        --remove --force --topic a-%
        --remove --force --group a-%
        --remove --force --topic p-% --resource-pattern-type prefixed
        ~--list --topic a-%
        --list --add
        """,
    "storage": r"""
        version-mapping
        version-mapping --release-version 3.9
        version-mapping --release-version 9
        feature-dependencies --feature eligible.leader.replicas.version=1 --feature group.version=1
        info --config {server}
        """,
    "transactions": r"""
        list
        describe --transactional-id none
        """,
}
"""By row. `!tool` runs another tool than the row's; `{name}` is one of FILES."""

OFFLINE: Final = ("storage",)
BROKER_FIRST: Final = ("features", "metadata-quorum", "transactions")
FILES: Final = {
    "server": "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n"
    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\nlog.dirs=/nowhere/own-tools\n"
    "controller.quorum.voters=1@localhost:9093\n",
    "plan": "g-%,0,2\ng-%,1,0\n",
    "records": '{"version":1,"partitions":[{"topic":"d-%","partition":0,"offset":0},'
    '{"topic":"d-%","partition":1,"offset":-1}]}',
    "records-twice": '{"version":1,"partitions":[{"topic":"d-%","partition":0,"offset":0},'
    '{"topic":"d-%","partition":0,"offset":-1}]}',
    "version-2": '{"version":2,"partitions":[]}',
    "broken": '{"version":1',
    "election": '{"partitions":[{"topic":"e-%","partition":0},{"topic":"e-%","partition":1}]}',
    "to-move": '{"version":1,"topics":[{"topic":"r-%"}]}',
    "plan-to-1": '{"version":1,"partitions":[{"topic":"r-%","partition":0,"replicas":[1]}]}',
    "plan-to-2": '{"version":1,"partitions":[{"topic":"r-%","partition":0,"replicas":[1,2]}]}',
}

VARYING: Final = (
    (re.compile(r"(?<=TopicId: )[\w-]{22}"), "ID"),
    (re.compile(r"(?m)^(HighWatermark:|MaxFollowerLagTimeMs:).*"), r"\1 N"),
    (re.compile(r"(?m)^(\d+\s+[\w-]{22}\s+)\d+(\s+\d+\s+)-?\d+(\s+)-?\d+"), r"\1N\2N\3N"),
    (re.compile(r"(?m)(?<=Epoch: )\d+"), "N"),
    # Of these this client speaks newer versions than Apache's.
    (re.compile(r"((?:ApiVersions|DeleteGroups)\(\d+\): 0 to \d+ \[usable: )\d+"), r"\1N"),
    (re.compile(r"(?<=UnsupportedVersionException: ).*"), "SAID"),
    (re.compile(r"(?m)^ \t\("), "\t("),  # before the first of a set
    # What follows the line that names it, for those who look after Java.
    (re.compile(r"(?m)^(?:java\.|Caused by: |org\.apache\.kafka\S+: |\tat |\t\.\.\. ).*\n"), ""),
    (re.compile(r"\n\n+\Z"), "\n"),
)


class Said(NamedTuple):
    code: int
    out: str
    err: str


class JavaTools:
    """Apache's tools, in one machine that starts once (`drivers/RunTools.java`)."""

    def __init__(self, runtime: Java) -> None:
        command = runtime.command("")
        self._command = [*command[:-1], str(HERE / "drivers" / "RunTools.java")]
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, main_class: str, words: list[str]) -> Said:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        encoded = [word.encode() for word in (main_class, *words)]
        pipe_in.write(struct.pack(">i", len(encoded)))
        for word in encoded:
            pipe_in.write(struct.pack(">i", len(word)) + word)
        pipe_in.flush()
        try:
            code = _int(pipe_out)
            return Said(code, _text(pipe_out), _text(pipe_out))
        except EOFError:
            # It ended itself, as tools do that were started with words they cannot read.
            code = self._process.wait(TOOL_SECONDS_MAX)
            self._process = None
            return Said(code, "", "")

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _int(pipe: IO[bytes]) -> int:
    data = pipe.read(4)
    if len(data) < 4:
        raise EOFError
    number: int = struct.unpack(">i", data)[0]
    return number


def _text(pipe: IO[bytes]) -> str:
    return pipe.read(_int(pipe)).decode()


class OwnTools:
    """Both sides, aimed at one broker."""

    def __init__(self, broker: Broker, java_tools: JavaTools, scratch: Path) -> None:
        self._bootstrap = broker.bootstrap
        self._java = java_tools
        self._scratch = scratch

    def rows(self, only: list[str] | None = None) -> list[Row]:
        return [
            (f"kafka-{name}", COLUMN, functools.partial(self.check, name))
            for name in SCRIPTS
            if not only or name in only
        ]

    def check(self, name: str) -> str:
        """Raises Wrong with every line that both did not answer alike."""
        wrong = []
        count = 0
        for line in SCRIPTS[name].strip().splitlines() or [""]:
            count += 1
            difference = self._compare(name, line.strip())
            if difference:
                wrong.append(f"{line.strip()}: {difference}")
        if wrong:
            raise Wrong(f"{len(wrong)} of {count} lines differ: " + "\n".join(wrong))
        return f"{count} lines"

    def _compare(self, name: str, line: str) -> str:
        unordered, line = line.startswith("~"), line.removeprefix("~")
        tool = name
        if line.startswith("!"):
            tool, _, line = line[1:].partition(" ")
        answers = []
        for side in SIDES:
            words = self._words(tool, line, side)
            said = self._run(tool, words, side)
            text = functools.reduce(lambda out, one: out.replace(f"-{one}", "-%"), SIDES, said.out)
            for pattern, instead in VARYING:
                text = pattern.sub(instead, text)
            lines = text.splitlines(keepends=True)
            answers.append((said, sorted(lines) if unordered else lines))
        (theirs, their_lines), (ours, our_lines) = answers
        if theirs.code != ours.code:
            return f"exit code {ours.code}, not {theirs.code}: {_last(ours)} / {_last(theirs)}"
        if their_lines != our_lines:
            return "\n" + "".join(
                difflib.unified_diff(their_lines, our_lines, "theirs", "ours", n=0)
            )
        return ""

    def _words(self, tool: str, line: str, side: str) -> list[str]:
        words = []
        for word in shlex.split(line.replace("%", side)):
            if word.startswith("{"):
                path = self._scratch / f"{word.strip('{}')}-{side}"
                path.write_text(FILES[word.strip("{}")].replace("%", side))
                word = str(path)
            words.append(word)
        # A subcommand comes before all options, but for those that want to know the broker first.
        at = 1 if words and not words[0].startswith("-") and tool not in BROKER_FIRST else 0
        where = [] if tool in OFFLINE else ["--bootstrap-server", self._bootstrap]
        return [*words[:at], *where, *words[at:]]

    def _run(self, tool: str, words: list[str], side: str) -> Said:
        if side == SIDES[0]:
            return self._java.run(MAIN_CLASSES[tool], words)
        done = subprocess.run(
            [str(ROOT / ".venv" / "bin" / "ottla"), "kafka", tool, *words],
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS_MAX,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        return Said(done.returncode, done.stdout, done.stderr)


def _last(said: Said) -> str:
    lines = [line for line in (said.out + said.err).strip().splitlines() if line[:1] != "\t"]
    return lines[0][:300] if lines else "nothing said"


@contextlib.contextmanager
def rows(broker: Broker, work: Path, only: list[str] | None = None) -> Iterator[list[Row]]:
    """The table's rows; raises CannotInstall where there is no Java."""
    java_tools = JavaTools(java())
    try:
        yield OwnTools(broker, java_tools, work).rows(only)
    finally:
        java_tools.close()


def main() -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=("apache", "ottla"), default="apache")
    parser.add_argument("--only", action="append", choices=list(SCRIPTS), metavar="TOOL")
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker somebody else runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="own-tools-") as name:
        work = Path(name)
        broker = _broker(options, work)
        broker.start()
        try:
            with rows(broker, work, options.only) as checks:
                return _report(checks)
        finally:
            broker.stop()


def _broker(options: argparse.Namespace, work: Path) -> Broker:
    if options.bootstrap:
        from broker import Elsewhere

        return Elsewhere(options.bootstrap)
    return made(options.against, work)


def made(kind: str, work: Path) -> Ottla | ApacheKafka:
    """A broker that the tools are compared at: Apache Kafka's has an authorizer, for the ACLs."""
    overrides = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "1"}
    if kind == "ottla":
        return Ottla(work / "data", work, overrides=overrides)
    overrides |= {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    kafka = ApacheKafka(java(), work / "data", work, overrides=overrides)
    kafka.format_directory()
    return kafka


def _report(checks: list[Row]) -> int:
    reds = 0
    for row, _, check in checks:
        try:
            print(f"{row}: {check()}", flush=True)
        except Wrong as problem:
            reds += 1
            print(f"{row}: {problem}", flush=True)
    return 1 if reds else 0


if __name__ == "__main__":
    sys.exit(main())
