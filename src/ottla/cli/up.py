"""`ottla up`: the Kafka of a docker-compose file, here, without Docker.

The file is read for its Kafka service: the variables are what they are to the image (see
`configuration.py`), its ports are where Docker would publish them, and what only Docker's network
knows (the service's own name as a host) is this machine. ZooKeeper is not needed, other services are
not started. Data is kept in a folder of the project and the service, not where a container would.

Elsewhere: the file, `compose.py`; a broker, `serve.py`; why so, docs/adr/0018.
"""

import argparse
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.cli.configuration import Configuration, Note, resolve
from ottla.cli.serve import add_common_arguments, home_for_data, serve
from ottla.settings.definition import ConfigurationError
from ottla.settings.listener import WILDCARDS, HostPort, Listener

if TYPE_CHECKING:
    from ottla.cli.compose import Project, Service

FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""In the order in which Docker looks for them."""

_KAFKA_IMAGES: Final = frozenset(
    ("kafka", "kafka-native", "cp-kafka", "cp-server", "confluent-local", "ottla")
)
"""A repository's last word: wurstmeister/kafka, apache/kafka, bitnami/kafka, confluentinc/cp-kafka."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a compose file; else compose.yaml or docker-compose.yml in this folder",
    )
    parser.add_argument(
        "--service", metavar="NAME", help="which service, if not the only one with a Kafka image"
    )
    add_common_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return serve("up", _configuration, args)


def _configuration(args: argparse.Namespace) -> Configuration:
    try:
        from ottla.cli.compose import read_project
    except ModuleNotFoundError as missing:
        if missing.name != "yaml":
            raise
        raise ConfigurationError(
            "PyYAML, which reads compose files, is not installed: pip install 'ottla[compose]'"
        ) from None
    path = _file(args.file)
    project = read_project(path, os.environ)
    service = _kafka(project, path, args.service)
    data = args.data or os.path.join(
        home_for_data("ottla-up"), _as_folder(project.name), _as_folder(service.name)
    )
    own = {name: text for name, text in os.environ.items() if name.startswith("OTTLA_")}
    alone = {"OTTLA_METADATA_STORE": "local"}  # the file's ZooKeeper is one of those not started
    resolved = resolve(
        [f"log.dirs={os.path.abspath(data)}", *args.overrides],
        {**alone, **own, **service.variables},
        None,
    )
    listeners = tuple(_here(listener, service) for listener in resolved.broker.listeners)
    others = [one.name for one in project.services if one is not service]
    not_started = f"; not started: {', '.join(others)}" if others else ""
    return resolved._replace(
        broker=resolved.broker._replace(listeners=listeners),
        notes=(
            Note("INFO", f"{path}: service {service.name} ({service.image}){not_started}"),
            *resolved.notes,
            *(note for listener in listeners for note in _elsewhere(listener)),
        ),
    )


def _file(named: str | None) -> Path:
    if named is not None:
        return Path(named)
    for name in FILES:
        if os.path.exists(name):
            return Path(name)
    raise ConfigurationError(
        f"there is no {', '.join(FILES[:-1])} or {FILES[-1]} in {os.getcwd()}: name one, as in "
        "`ottla up FILE`"
    )


def _kafka(project: "Project", path: Path, named: str | None) -> "Service":
    if named is not None:
        for service in project.services:
            if service.name == named:
                return service
        names = ", ".join(service.name for service in project.services)
        raise ConfigurationError(f"{path}: there is no service {named}, but {names}")
    found = [service for service in project.services if _is_kafka(service.image)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{path}: {len(found)} services run Kafka: {', '.join(s.name for s in found)}. Brokers "
            "that form a cluster are not in this version; --service NAME starts one of them"
        )
    images = ", ".join(f"{service.name} ({service.image})" for service in project.services)
    raise ConfigurationError(
        f"{path}: no service has an image of Kafka that is known: {images or 'there is none'}; "
        "--service NAME says which one it is"
    )


def _is_kafka(image: str) -> bool:
    """`registry:5000/confluentinc/cp-kafka:7.3.2` is."""
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return repository in _KAFKA_IMAGES


def _as_folder(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name).lstrip(".") or "kafka"


def _here(listener: Listener, service: "Service") -> Listener:
    """Where the listener is without a container around it: at its published port. One that is not
    published is between containers only, so it is for this machine only."""
    published = {one.port: one for one in service.ports}
    found = published.get(listener.port)
    if found is not None:
        listener = listener._replace(host=found.host, port=found.host_port)
    elif listener.host in (*WILDCARDS, *service.names):
        listener = listener._replace(host="localhost")
    told = listener.advertised
    if told is not None and told.host in service.names:
        inside = published.get(told.port)
        port = told.port if inside is None else inside.host_port
        listener = listener._replace(advertised=HostPort("localhost", port))
    return listener


def _elsewhere(listener: Listener) -> Sequence[Note]:
    """A warning when clients are told an address that is not this machine's: the author's, in most
    tutorials."""
    told = listener.advertised
    if told is None or _is_of_this_machine(told.host):
        return ()
    return (
        Note(
            "WARNING",
            f"clients of listener {listener.name} are told to connect to {told}, which is not an "
            "address of this machine: write yours into the file, or localhost",
        ),
    )


def _is_of_this_machine(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as one:
                one.bind(address)
        except OSError:
            continue
        return True
    return False
