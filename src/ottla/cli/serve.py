"""`ottla serve`: a broker from what a Kafka broker is configured with.

Whatever keeps it from starting is one readable sentence on stderr and exit code 1. Log lines go to
stdout in Kafka's form, because people and tools wait there for the words Kafka says when it is up.

Elsewhere: what the settings amount to, `configuration.py`; the broker itself, `aio/broker.py`; how the log
looks, `log_lines.py`; the same from a compose file, `up.py`.
"""

import argparse
import gc
import logging
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ottla.aio.broker import Broker, ServedNode, run_until_signal
from ottla.aio.log_directory import CannotStart
from ottla.cli.configuration import Configuration, resolve, table
from ottla.cli.log_lines import View, explain, log_to_stdout
from ottla.settings.definition import ConfigurationError
from ottla.settings.listener import HostPort
from ottla.version import __version__

log = logging.getLogger("ottla.serve")

_FAILED: Final = 1

_FIRST_STEPS: Final = """\

Ottla {version} serves Kafka's protocol on {address}. Its data is in {directories}

In another terminal:
  {ottla} topic create greetings --partitions 3{elsewhere}
  echo "hello, world" | {ottla} produce greetings{elsewhere}
  {ottla} consume greetings --from-beginning{elsewhere}
or with Kafka's own tools:
  kafka-console-producer.sh --bootstrap-server {address} --topic greetings

Ctrl-C stops it. What was acknowledged is there at the next start.
"""

_ONE_BROKER: Final = """\
--brokers {brokers}: brokers that form a cluster, and share topics, are not in this version. Two that know \
nothing of each other are two commands: `{ottla} serve -p 9092 --data one` and `{ottla} serve -p 9093 --data two`"""

_TOOLS_LOOK_AT: Final = (HostPort("localhost", 9092), HostPort("127.0.0.1", 9092))
"""Where our own tools look when they are not told."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", metavar="server.properties", help="settings, as for a Kafka broker"
    )
    parser.add_argument(
        "-p", "--port", type=int, metavar="PORT", help="listen on localhost:PORT instead of 9092"
    )
    parser.add_argument(
        "--brokers", type=int, default=1, metavar="N", help="how many brokers; one, in this version"
    )
    parser.add_argument("--strict", action="store_true", help="refuse settings that nobody knows")
    add_common_arguments(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command has that runs a broker."""
    parser.add_argument(
        "--data", metavar="DIR", help="where the data is kept (the same as log.dirs=DIR)"
    )
    parser.add_argument(
        "--override",
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting that wins over file and environment; may be given several times",
    )
    parser.add_argument(
        "--log",
        choices=[view.value for view in View],
        default=View.KAFKA.value,
        help="kafka: as Kafka logs; explain: what clients do and what happens then, in words",
    )
    parser.add_argument("--verbose", action="store_true", help="log at level DEBUG")


def run(args: argparse.Namespace) -> int:
    return serve("serve", _configuration, args)


def serve(
    command: str,
    configuration_of: Callable[[argparse.Namespace], Configuration],
    args: argparse.Namespace,
) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    view = View(args.log)
    log_to_stdout(logging.DEBUG if args.verbose else logging.INFO, view)
    try:
        configuration = configuration_of(args)
        _report(configuration)
        return run_until_signal(
            configuration.broker,
            given=configuration.given,
            topics_wanted=configuration.topics_to_create,
            cluster_id=configuration.cluster_id,
            started=_started,
            around=_explained if view is View.EXPLAIN else None,
        )
    except (ConfigurationError, CannotStart) as error:
        print(f"ottla {command}: {error}", file=sys.stderr)
        return _FAILED
    finally:
        gc.enable()


def _explained(node: ServedNode) -> ServedNode:
    from ottla.cli.explain import ExplainedNode

    return ExplainedNode(node, explain)


def _configuration(args: argparse.Namespace) -> Configuration:
    overrides: list[str] = list(args.overrides)
    if args.brokers != 1:
        raise ConfigurationError(_ONE_BROKER.format(brokers=args.brokers, ottla=_this_program()))
    if args.port is not None:
        overrides.append(f"listeners=PLAINTEXT://localhost:{args.port}")
    if args.data is not None:
        overrides.append(f"log.dirs={os.path.abspath(args.data)}")
    configuration = resolve(overrides, os.environ, args.file)
    if "log.dirs" not in configuration.given and "log.dir" not in configuration.given:
        # Kafka's default is below /tmp, which forgets.
        overrides.append(f"log.dirs={home_for_data()}")
        configuration = resolve(overrides, os.environ, args.file)
    if args.strict and configuration.unknown:
        unknown = [note.text for note in configuration.notes if note.level == "WARNING"]
        raise ConfigurationError(f"--strict: {'; '.join(unknown)}")
    return configuration


def home_for_data(name: str = "ottla") -> str:
    """The directory when none is named: in the user's own place for data."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(os.path.abspath(home), name)


def _report(configuration: Configuration) -> None:
    for note in configuration.notes:
        log.log(logging.WARNING if note.level == "WARNING" else logging.INFO, "%s", note.text)
    if log.isEnabledFor(logging.DEBUG):
        for row in table(configuration):
            log.debug("setting %s=%s (%s)", row.key, row.value, row.where)


def _started(broker: Broker) -> None:
    """Clients can connect: say so to people, to tools that read the log, and to systemd."""
    gc.freeze()  # what the start has made stays; the collector need not look at it again
    gc.enable()
    node_id = broker.directory.node_id
    for name, address in broker.bound.items():
        log.info("listening on %s://%s", name, address)
    # The words that testcontainers and their like wait for.
    kafka = logging.getLogger("kafka.server.KafkaServer")
    kafka.info("The broker has caught up. Transitioning from RECOVERY to RUNNING.")
    kafka.info("Kafka Server started")
    kafka.info("[KafkaServer id=%d] started", node_id)
    if broker.directory.is_new:
        print(first_steps(broker.bound.values(), broker.directories), flush=True)
    _tell_systemd()


def first_steps(bound: Iterable[HostPort], directories: Sequence[str]) -> str:
    """What to try next, in commands that work as they stand: this program may not be on the PATH,
    and the tools look for a broker at localhost:9092 unless they are told where else."""
    addresses = [address.from_here for address in bound]
    address = next((one for one in addresses if one in _TOOLS_LOOK_AT), addresses[0])
    return _FIRST_STEPS.format(
        version=__version__,
        address=address,
        directories=" and ".join(directories),
        ottla=_this_program(),
        elsewhere="" if address in _TOOLS_LOOK_AT else f" --bootstrap-server {address}",
    )


def _this_program() -> str:
    """How a person starts this program again."""
    path = os.path.abspath(sys.argv[0])
    if os.path.basename(path) != "ottla":
        return f"{sys.executable} -m ottla.cli.main"
    found = shutil.which("ottla")
    if found is not None and os.path.realpath(found) == os.path.realpath(path):
        return "ottla"
    return shlex.quote(path)


def _tell_systemd() -> None:
    """READY=1 to the socket systemd named, if it started us with Type=notify."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        try:
            notify.sendto(b"READY=1", address)
        except OSError as error:
            log.warning("systemd cannot be told that the broker is ready: %s", error.strerror)
