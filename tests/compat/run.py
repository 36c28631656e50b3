"""Unmodified clients against a real broker process: client x capability, one table.

    tests/compat/run.py                         Ottla, from this checkout
    tests/compat/run.py --against apache        Apache Kafka, to judge the harness itself
    tests/compat/run.py --against apache-2.1    the oldest that our client speaks with
    tests/compat/run.py --only kcat             one client (may be repeated; also: old, tools, files, tutorials,
                                                applications, secured, own-tools)
    tests/compat/run.py --bootstrap host:port   a broker somebody else runs; its files are not seen

A cell is green, red, or `–` where the client has no such feature; each red one and each remark has
its line below the table. The exit code is 1 if anything is red, a client that can't be installed
included. What the clients need goes to `.compat/` (`install.py`), the broker's data to a temporary
directory that is kept when something was red.

The pieces: `clients.py` the roster, `drivers/` one program per client, `checks.py` and `groups.py` the
capabilities, `old.py` clients before Kafka 0.11, `tools.py` Apache Kafka's command-line tools,
`storage.py` the files on disk in both directions, `tutorials.py` what learners type, `applications.py`
Kafka Connect, MirrorMaker and Kafka Streams, `secured.py` our client at Apache Kafka's TLS and SASL,
`own_tools.py` and `own_data_tools.py` our tools beside Apache's.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import applications
import groups
import old
import own_data_tools
import own_tools
import secured
import storage
import tools
import tutorials
from apache import ApacheKafka, OldKafka
from broker import Broker, Elsewhere, NotStarted, Ottla, Restartable
from checks import CAPABILITIES, World, Wrong
from clients import CLIENTS, REFERENCE, Client
from driver import Cannot, Driver, Failed, Refused
from install import CannotInstall, java, old_broker
from segments import CODECS
from table import Color, Outcome, Table

PARTS: Final = ("old", "tools", "files", "tutorials", "applications", "secured", "own-tools")
OURS: Final = "ottla"
OLD: Final = "apache-2.1"
OLD_RELEASE: Final = "2.1.1"
# Libraries of three makes in one group; each names the assignor that it shares with the others. The
# first assigns for all, the second leaves under load: ours takes its turn at each.
MIXED: Final = {
    "a mixed group": ("java", "confluent-kafka", "kafka-python-3"),
    "a mixed group with ours": ("java", "confluent-kafka", OURS),
    "a mixed group led by ours": (OURS, "java", "confluent-kafka"),
    "a mixed group that ours leaves": ("confluent-kafka", OURS, "java"),
    "a mixed group with franz-go": ("franz-go", "java", OURS),
}


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no process stays behind
    everything = [*(client.name for client in CLIENTS), *PARTS]
    # Of an old release only our own client shows something new.
    wanted = set(options.only or ([OURS] if options.against == OLD else everything))
    work = Path(tempfile.mkdtemp(prefix="compat-"))
    print(f"working in {work}", file=sys.stderr)
    started = time.monotonic()
    subject = options.bootstrap or options.against
    tables: list[Table] = []
    try:
        broker = broker_under_test(options, work)
        broker.start()
        try:
            clients = [client for client in CLIENTS if client.name in wanted]
            if clients:
                tables.append(check_clients(clients, broker, work))
            if "old" in wanted and options.against == "ottla":  # Kafka 4 cut them off
                tables.append(check_parts(old.TABLE, functools.partial(old.rows, broker, work)))
            if "tools" in wanted:
                tables.append(check_parts(tools.TABLE, functools.partial(tools.rows, broker, work)))
        finally:
            broker.stop()
            if isinstance(broker, OldKafka):
                broker.end()
        if "files" in wanted and not options.bootstrap:
            make, seen = broker_maker(options.against), broker.data_dir
            rows = functools.partial(storage.rows, make, seen, work)
            tables.append(check_parts(storage.TABLE, rows))
        if "own-tools" in wanted and not options.bootstrap:
            tables += check_own_tools(options.against, work)
        if "tutorials" in wanted and subject in ("ottla", "apache"):
            rows = functools.partial(tutorials.rows, subject, work)
            tables.append(check_parts(tutorials.TABLE, rows))
        if "applications" in wanted and subject in ("ottla", "apache"):
            tables.append(check_applications(subject, work / "applications"))
        if "secured" in wanted and subject == "ottla":
            tables.append(check_secured(work))
    except (NotStarted, CannotInstall) as problem:
        print(f"{subject}: {problem}", file=sys.stderr)
        return 1
    for table in tables:
        print("\n" + table.render(colored=sys.stdout.isatty()))
    reds = sum(table.reds() for table in tables)
    print(f"\n{subject}: {reds} red, {time.monotonic() - started:.0f} s")
    if reds:
        print(f"the broker's and the clients' files are in {work}")
    else:
        shutil.rmtree(work)
    return 1 if reds else 0


def arguments() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=("ottla", "apache", OLD), default="ottla")
    names = [client.name for client in CLIENTS]
    parser.add_argument("--only", action="append", choices=[*names, *PARTS], metavar="CLIENT")
    parser.add_argument("--bootstrap", metavar="HOST:PORT")
    return parser.parse_args()


def broker_under_test(options: argparse.Namespace, work: Path) -> Broker:
    if options.bootstrap:
        return Elsewhere(options.bootstrap)
    # A new group's members come at once here: waiting for more of them shows nothing.
    overrides = {
        "group.initial.rebalance.delay.ms": "300",
        "offsets.topic.num.partitions": "5",
        "quota.window.num": "3",
    }
    return broker_maker(options.against)(work / "data", work, overrides)


def broker_maker(kind: str) -> storage.MakeBroker:
    """How to make a broker of this kind on a directory, empty or not."""

    def ottla(data: Path, logs: Path, overrides: Mapping[str, str]) -> Broker:
        return Ottla(data, logs, overrides=overrides)

    def apache(data: Path, logs: Path, overrides: Mapping[str, str]) -> Broker:
        broker = ApacheKafka(java(), data, logs, overrides=overrides)
        if not data.exists():
            broker.format_directory()
        return broker

    def old(data: Path, logs: Path, overrides: Mapping[str, str]) -> Broker:
        return OldKafka(old_broker(OLD_RELEASE), data, logs, overrides=overrides)

    return {"ottla": ottla, "apache": apache, OLD: old}[kind]


def check_clients(clients: list[Client], broker: Broker, work: Path) -> Table:
    """Capability by capability, so that all have written before anyone reads everything."""
    capabilities = {**CAPABILITIES, **groups.CAPABILITIES}
    table = Table("client", list(capabilities))
    reference = REFERENCE.driver(work / "reference")
    writer = REFERENCE.driver(work / "writer")
    drivers: dict[str, Driver] = {}
    for client in clients:
        try:
            drivers[client.name] = client.driver(work / "clients")
        except CannotInstall as problem:
            table.put(client.name, next(iter(CAPABILITIES)), Outcome(Color.RED, str(problem)))
    try:
        for driver in (reference, writer, *drivers.values()):
            driver.aim_at(broker.bootstrap)
        world = World(reference, broker.data_dir, writer, restarting(broker))
        lacks: Mapping[str, str] = {}
        if isinstance(broker, OldKafka):
            lacks, world.invalid_config = broker.LACKS, broker.INVALID_CONFIG
        if REFERENCE not in clients:
            write_corpus(reference, world)
        for capability, check in capabilities.items():
            for client in clients:
                if capability in lacks:
                    outcome = Outcome(Color.NOT_APPLICABLE, lacks[capability])
                    table.put(client.name, capability, outcome)
                elif client.name in drivers:
                    driver = drivers[client.name]
                    outcome = judge(lambda: check(client, driver, world))  # noqa: B023
                    table.put(client.name, capability, outcome)
        for row, names in MIXED.items():
            if not all(name in drivers for name in names):
                continue
            members = [drivers[name] for name in names]
            for capability, strategy in groups.STRATEGIES.items():
                outcome = judge(lambda: groups.mixed(members, world, strategy))  # noqa: B023
                table.put(row, capability, outcome)
    finally:
        for driver in (reference, writer, *drivers.values()):
            driver.close()
    return table


def restarting(broker: Broker) -> Callable[[bool], None] | None:
    """How to take the broker down and up again; None: it is somebody else's."""
    if isinstance(broker, Elsewhere):
        return None
    assert isinstance(broker, Ottla | ApacheKafka | OldKafka)
    ours: Restartable = broker

    def restart(kill: bool) -> None:
        if kill:
            ours.kill()
        else:
            ours.stop()
        ours.start()

    return restart


def write_corpus(reference: Driver, world: World) -> None:
    """A client checked alone still has something to read that another client wrote."""
    for name in CODECS:
        CAPABILITIES[name](REFERENCE, reference, world)


def check_parts(title: str, rows: Callable[[], list[tools.Row]]) -> Table:
    try:
        checks = rows()
    except CannotInstall as problem:
        table = Table(title, [tools.COLUMN])
        table.put(title, tools.COLUMN, Outcome(Color.RED, str(problem)))
        return table
    table = Table(title, list(dict.fromkeys(column for _, column, _ in checks)))
    for row, column, check in checks:
        table.put(row, column, judge(check))
    return table


def check_own_tools(kind: str, work: Path) -> list[Table]:
    """Ours beside Apache Kafka's, with the same words at the same broker."""
    tables = []
    place = work / "own-tools"
    broker = own_tools.made(kind, place)
    broker.start()
    try:
        with own_tools.rows(broker, place) as checks:
            tables.append(check_parts(own_tools.TABLE, lambda: checks))
    finally:
        broker.stop()
    place = work / "own-data-tools"
    broker = own_data_tools.made(kind, place)
    broker.start()
    try:
        rows = functools.partial(own_data_tools.rows, broker, place)
        tables.append(check_parts(own_data_tools.TABLE, rows))
    finally:
        broker.stop()
    return tables


def check_applications(kind: str, work: Path) -> Table:
    work.mkdir()
    overrides = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "5"}
    broker = broker_maker(kind)(work / "data", work, overrides)
    reference = REFERENCE.driver(work / "reference")
    broker.start()
    try:
        reference.aim_at(broker.bootstrap)
        world = World(reference, broker.data_dir, restart=restarting(broker))
        rows = functools.partial(applications.rows, world, broker.bootstrap, work)
        return check_parts(applications.TABLE, rows)
    finally:
        reference.close()
        broker.stop()


def check_secured(work: Path) -> Table:
    ends: list[Callable[[], None]] = []

    def rows() -> list[secured.Row]:
        checks, end = secured.rows(work)
        ends.append(end)
        return checks

    try:
        return check_parts(secured.TABLE, rows)
    finally:
        for end in ends:
            end()


def judge(check: Callable[[], str | None]) -> Outcome:
    try:
        return Outcome(Color.GREEN, check())
    except Cannot as cannot:
        return Outcome(Color.NOT_APPLICABLE, str(cannot))
    except (Wrong, Refused, CannotInstall, NotStarted) as problem:
        return Outcome(Color.RED, str(problem))
    except Failed as problem:
        lines = str(problem).strip().splitlines()
        return Outcome(Color.RED, f"{lines[0]} … {lines[-1]}" if len(lines) > 1 else lines[0])


if __name__ == "__main__":
    sys.exit(main())
