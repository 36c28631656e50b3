"""Environment variables to settings, in the dialects of the container images people already use.

One rule serves them all: `KAFKA_` is taken off, the rest in lower case, `_` becomes `.`, `__`
becomes `_`, `___` becomes `-`; `KAFKA_CFG_` instead turns every `_` into `.`. Beside it stand the
names each image treats specially, and names that only look like settings: those of the JVM and of
an image's scripts, those of clients in the same container, and what Kubernetes injects for a
Service called kafka. `OTTLA_` reads like `KAFKA_` and wins over it.

Pure: `cli/configuration.py` reads the variables, and the files and commands some of them name.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ottla.limits import TOPIC_NAME_LENGTH_MAX
from ottla.settings.broker import KNOWN, base_name
from ottla.settings.definition import ConfigurationError

COMMANDS: Final = ("HOSTNAME_COMMAND", "PORT_COMMAND", "BROKER_ID_COMMAND", "RACK_COMMAND")
ALLOW_COMMANDS: Final = "OTTLA_ALLOW_ENV_COMMANDS"

# What an image's start script, the JVM or a tool reads; never a setting of the broker.
_IMAGE_NAMES: Final = frozenset(
    [
        "VERSION",
        "HEAP_OPTS",
        "LOG4J_OPTS",
        "OPTS",
        "JMX_OPTS",
        "JVM_PERFORMANCE_OPTS",
        "GC_LOG_OPTS",
        "LOG4J_ROOT_LOGLEVEL",
        "LOG4J_LOGGERS",
        "TOOLS_LOG4J_LOGLEVEL",
        "JMX_HOSTNAME",
        "JMX_PORT",
        "HOME",
        "DEBUG",
        "LOG",
        "CREATE_TOPICS",
        "CREATE_TOPICS_SEPARATOR",
        "CLUSTER_ID",
        "ENABLE_KRAFT",
        "KRAFT_CLUSTER_ID",
        "CLIENT_USERS",
        "CLIENT_PASSWORDS",
        "INTER_BROKER_USER",
        "INTER_BROKER_PASSWORD",
        "CONTROLLER_USER",
        "CONTROLLER_PASSWORD",
        "CLIENT_LISTENER_NAME",
        "CERTIFICATE_PASSWORD",
        "TLS_TYPE",
        "TLS_CLIENT_AUTH",
        "SSL_KEYSTORE_FILENAME",
        "SSL_KEYSTORE_CREDENTIALS",
        "SSL_KEY_CREDENTIALS",
        "SSL_TRUSTSTORE_FILENAME",
        "SSL_TRUSTSTORE_CREDENTIALS",
    ]
)
# What a client reads, when one lives in the same environment.
_CLIENT_NAMES: Final = frozenset(
    [
        "BOOTSTRAP_SERVERS",
        "BOOTSTRAP_SERVER",
        "BROKERS",
        "SECURITY_PROTOCOL",
        "CLIENT_ID",
        "GROUP_ID",
    ]
)
# Two images' own names for a setting.
_RENAMED: Final = {
    "KAFKA_LOGS_DIRS": "log.dirs",
    "KAFKA_SEGMENT_BYTES": "log.segment.bytes",
    "KAFKA_MAX_MESSAGE_BYTES": "message.max.bytes",
    "ADVERTISED_HOST": "advertised.host.name",
    "ADVERTISED_PORT": "advertised.port",
    "AUTO_CREATE_TOPICS": "auto.create.topics.enable",
}
LEGACY: Final = ("host.name", "port", "advertised.host.name", "advertised.port")
"""Settings that Kafka 3.0 removed; they say the same as listeners and advertised.listeners."""


class Given(NamedTuple):
    key: str
    text: str
    where: str


class TopicToCreate(NamedTuple):
    """`KAFKA_CREATE_TOPICS`: a topic wanted at the start, if it is not there."""

    name: str
    partitions: int
    replication_factor: int
    cleanup_policy: str | None


class Environment(NamedTuple):
    """`own` (OTTLA_) wins over `kafka`; both keep the lower precedence first."""

    kafka: tuple[Given, ...]
    own: tuple[Given, ...]
    cluster_id: str | None
    topics: tuple[TopicToCreate, ...]
    injected_by_kubernetes: tuple[str, ...]


def environment_of(variables: Mapping[str, str]) -> Environment:
    """What the variables say. Raises ConfigurationError for what only an environment can get wrong."""
    plain: list[Given] = []
    configured: list[Given] = []
    own: list[Given] = []
    injected: list[str] = []
    for name in sorted(variables):
        text = variables[name]
        if name in _RENAMED:
            plain.append(Given(_RENAMED[name], text, name))
        elif name.startswith("KAFKA_CFG_"):
            key = name.removeprefix("KAFKA_CFG_").lower().replace("_", ".")
            configured.append(Given(key, text, name))
        elif name.startswith("OTTLA_"):
            own.extend(_own(name, text))
        elif name.startswith("KAFKA_"):
            key = _key(name.removeprefix("KAFKA_"))
            if _is_injected(name, key, text):
                injected.append(name)
            elif _is_setting(name.removeprefix("KAFKA_"), key):
                plain.append(Given(key, text, name))
    return Environment(
        kafka=(*plain, *configured),
        own=tuple(own),
        cluster_id=_cluster_id(variables),
        topics=topics_of(variables),
        injected_by_kubernetes=tuple(injected),
    )


def named_by_file(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables whose value stands in a file: `KAFKA_X_FILE=path` gives `KAFKA_X`. Name to path.

    Only where `KAFKA_X` is known: some settings have names of their own that end in `.file`.
    """
    found = {}
    for name, path in variables.items():
        base = name.removesuffix("_FILE")
        if base == name or base in variables or not path:
            continue
        if name.startswith("KAFKA_CFG_"):
            key = base.removeprefix("KAFKA_CFG_").lower().replace("_", ".")
        elif name.startswith("KAFKA_"):
            key = _key(base.removeprefix("KAFKA_"))
        else:
            continue
        if base in _RENAMED or _is_known(key):
            found[base] = path
    return found


def topics_of(variables: Mapping[str, str]) -> tuple[TopicToCreate, ...]:
    """`KAFKA_CREATE_TOPICS`: name:partitions:replicas[:cleanup.policy], separated by commas."""
    text = variables.get("KAFKA_CREATE_TOPICS", "")
    separator = variables.get("KAFKA_CREATE_TOPICS_SEPARATOR") or ","
    if separator in ("$'\\n'", "$$'\\n'", "\\n"):  # as compose files write a line's end
        separator = "\n"
    return tuple(_topic(entry) for entry in text.split(separator) if entry.strip())


def is_topic_name(name: str) -> bool:
    letters = name.replace(".", "").replace("_", "").replace("-", "")
    fits = 0 < len(name) <= TOPIC_NAME_LENGTH_MAX and name not in (".", "..")
    return fits and name.isascii() and (letters.isalnum() or not letters)


def _topic(entry: str) -> TopicToCreate:
    name, *rest = [part.strip() for part in entry.strip().split(":")]
    numbers, policy = rest[:2], rest[2:]
    right = len(rest) in (2, 3) and all(n.isascii() and n.isdigit() and int(n) for n in numbers)
    policies = policy[0].replace(" ", "").split(",") if policy and policy[0] else []
    right = right and all(each in ("compact", "delete") for each in policies)
    if not right or not is_topic_name(name):
        raise ConfigurationError(
            f"KAFKA_CREATE_TOPICS: {entry.strip()!r}: name:partitions:replicas or "
            "name:partitions:replicas:cleanup.policy is expected, with numbers from 1 on, a name of "
            f"up to {TOPIC_NAME_LENGTH_MAX} letters, digits, dots, underscores and hyphens, and the "
            "policy compact or delete"
        )
    return TopicToCreate(name, int(numbers[0]), int(numbers[1]), ",".join(policies) or None)


def _key(name: str) -> str:
    """`LOG_DIRS` is log.dirs, `A__B` is a_b, `A___B` is a-b."""
    return name.lower().replace("_", ".").replace("...", "-").replace("..", "_")


def _own(name: str, text: str) -> list[Given]:
    if name in (ALLOW_COMMANDS, "OTTLA_CLUSTER_ID"):
        return []
    key = _key(name.removeprefix("OTTLA_"))
    if not _is_known(key) and f"ottla.{key}" in KNOWN:
        key = f"ottla.{key}"
    return [Given(key, text, name)]


def _is_known(key: str) -> bool:
    return base_name(key) in KNOWN or key in LEGACY


def _is_setting(name: str, key: str) -> bool:
    if name.removesuffix("_FILE") in _IMAGE_NAMES:
        return False
    if name in _CLIENT_NAMES or name.startswith("REST_"):
        return False
    # The broker's sasl.* settings are known; any other is a client's.
    return _is_known(key) or not name.startswith("SASL_")


def _is_injected(name: str, key: str, text: str) -> bool:
    """A Service called kafka gives every container KAFKA_PORT=tcp://…, KAFKA_SERVICE_HOST, …"""
    if text.startswith(("tcp://", "udp://")):
        return True
    if _is_known(key):
        return False
    tail = name.partition("_PORT_")[2].split("_")
    return "_SERVICE_" in name or (
        len(tail) > 1 and tail[0].isdigit() and tail[1] in ("TCP", "UDP")
    )


def _cluster_id(variables: Mapping[str, str]) -> str | None:
    for name in ("OTTLA_CLUSTER_ID", "CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"):
        text = variables.get(name, "").strip()
        if text:
            if not all(character.isalnum() or character in "-_=" for character in text):
                raise ConfigurationError(
                    f"{name}={text}: letters, digits, - and _ are expected, best 22 of them as "
                    "`kafka-storage random-uuid` prints"
                )
            return text
    return None
