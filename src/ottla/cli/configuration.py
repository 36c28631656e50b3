"""The configuration of `ottla serve`: command line, environment and file, made into settings.

Precedence: `--override` > `OTTLA_*` > `KAFKA_*` and `KAFKA_CFG_*` > the properties file > defaults.
An ill-typed value refuses the start and says where it stands; an unknown name is only a warning,
with the nearest name known; what is accepted without a meaning is listed once.

Elsewhere: what variables mean, see `settings/environment.py`; what may be set, `settings/table/`;
whether the whole fits together, `settings/broker.py`.
"""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ottla.limits import SECRET_FILE_BYTES_MAX, SETTINGS_FILE_BYTES_MAX
from ottla.settings.broker import KNOWN, BrokerSettings, base_name, broker_settings, nearest
from ottla.settings.definition import ConfigurationError, Source
from ottla.settings.documentation import NOT_YET
from ottla.settings.environment import (
    ALLOW_COMMANDS,
    COMMANDS,
    LEGACY,
    Environment,
    Given,
    TopicToCreate,
    environment_of,
    named_by_file,
)
from ottla.settings.parse import Resolved, properties, value_of
from ottla.settings.table.own import ACCEPTED_PREFIXES

Level: TypeAlias = Literal["INFO", "WARNING"]

_COMMAND_TIMEOUT_S: Final = 10

# Ignoring these changes what is allowed or kept, so an operator must see it.
_IGNORED_LOUDLY: Final = (
    "alter.config.policy.class.name",
    "client.quota.callback.class",
    "config.providers",
    "create.topic.policy.class.name",
    "remote.log.storage.system.enable",
    "super.users",
)


class Note(NamedTuple):
    level: Level
    text: str


class Row(NamedTuple):
    """A line of the start-up table."""

    key: str
    value: str
    where: str


class Configuration(NamedTuple):
    """What to run. `given` is what was configured, by name, with its origin: the `static` layer of
    `settings.describe`. `unknown` names are in it too; a strict start refuses them."""

    broker: BrokerSettings
    given: Mapping[str, Resolved]
    topics_to_create: tuple[TopicToCreate, ...]
    cluster_id: str | None
    notes: tuple[Note, ...]
    unknown: tuple[str, ...]


def resolve(
    overrides: Sequence[str], environ: Mapping[str, str], file_path: str | None
) -> Configuration:
    """The configuration that `key=value` overrides, variables and a file amount to.

    Raises ConfigurationError: its message is for the operator, as it stands.
    """
    notes: list[Note] = []
    variables = _with_files(environ)
    environment = environment_of(_with_commands(variables))
    _note_kubernetes(environment, notes)
    merged: dict[str, Given] = {}
    for layer in (
        _of_file(file_path),
        environment.kafka,
        environment.own,
        _of_command_line(overrides),
    ):
        _merge(merged, layer)
    _listeners_from_older_names(merged, notes)
    _listeners_from_advertised(merged, notes)
    _alone_where_an_image_names_an_ensemble(merged, notes)
    _both_ids(merged)
    unknown = _check(merged, notes)
    given = {
        given.key: Resolved(given.text, Source.STATIC_BROKER, given.where)
        for given in merged.values()
    }
    return Configuration(
        broker=broker_settings(given),
        given=given,
        topics_to_create=environment.topics,
        cluster_id=environment.cluster_id,
        notes=tuple(notes),
        unknown=unknown,
    )


def table(configuration: Configuration) -> list[Row]:
    """What was configured, by key, and where from. Secrets, and what may be one, are hidden."""
    rows = []
    for key, resolved in sorted(configuration.given.items()):
        setting = KNOWN.get(base_name(key))
        hidden = setting is None or setting.sensitive
        rows.append(Row(key, "(hidden)" if hidden else resolved.text, resolved.where))
    return rows


def _of_file(file_path: str | None) -> list[Given]:
    if file_path is None:
        return []
    raw = _read(file_path, SETTINGS_FILE_BYTES_MAX, "the settings file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what Java reads; a byte is never wrong there
    try:
        entries = properties(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file_path}: {error}") from None
    return [Given(entry.key, entry.value, f"{file_path}:{entry.line}") for entry in entries]


def _of_command_line(overrides: Sequence[str]) -> list[Given]:
    layer = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigurationError(
                f"--override {override}: key=value is expected, as in num.partitions=3"
            )
        layer.append(Given(key.strip(), text, "--override"))
    return layer


def _read(path: str, bytes_max: int, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            raw = file.read(bytes_max + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {what} cannot be read: {error.strerror}") from None
    if len(raw) > bytes_max:
        raise ConfigurationError(f"{path}: {what} is longer than {bytes_max:,} bytes")
    return raw


def _with_files(environ: Mapping[str, str]) -> dict[str, str]:
    variables = dict(environ)
    for name, path in named_by_file(environ).items():
        raw = _read(path, SECRET_FILE_BYTES_MAX, f"the file named by {name}_FILE")
        variables[name] = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        del variables[f"{name}_FILE"]
    return variables


def _with_commands(variables: dict[str, str]) -> dict[str, str]:
    """Put what HOSTNAME_COMMAND and its like print where `_{HOSTNAME_COMMAND}` stands."""
    asked = [name for name in COMMANDS if variables.get(name)]
    if not asked or not any(name.startswith("KAFKA_") for name in variables):
        return variables
    if variables.get(ALLOW_COMMANDS) != "1":
        raise ConfigurationError(
            f"{asked[0]} asks for a shell command whose output becomes a setting; set "
            f"{ALLOW_COMMANDS}=1 to let it run, or write the value itself into KAFKA_* variables"
        )
    printed = {name: _output_of(name, variables[name]) for name in asked}
    replaced = {}
    for name, text in variables.items():
        for command, output in printed.items():
            text = text.replace(f"_{{{command}}}", output) if name.startswith("KAFKA_") else text
        replaced[name] = text
    was_used = replaced != variables
    for command, target in (
        ("BROKER_ID_COMMAND", "KAFKA_BROKER_ID"),
        ("RACK_COMMAND", "KAFKA_BROKER_RACK"),
    ):
        if command in printed:
            replaced.setdefault(target, printed[command])
    # The image's older form had no placeholder: the command gave the advertised host itself.
    if "HOSTNAME_COMMAND" in printed and not was_used:
        if "KAFKA_ADVERTISED_LISTENERS" not in replaced:
            replaced.setdefault("KAFKA_ADVERTISED_HOST_NAME", printed["HOSTNAME_COMMAND"])
    return replaced


def _output_of(name: str, command: str) -> str:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"{name}: the command did not end well: {error}") from None
    if done.returncode != 0 or not done.stdout.strip():
        raise ConfigurationError(
            f"{name}: the command ended with {done.returncode} and printed "
            f"{done.stdout.strip()!r}: exit code 0 and one value are expected"
        )
    return done.stdout.strip()


def _note_kubernetes(environment: Environment, notes: list[Note]) -> None:
    if environment.injected_by_kubernetes:
        notes.append(
            Note(
                "INFO",
                f"ignored, injected by Kubernetes for a Service: "
                f"{', '.join(environment.injected_by_kubernetes)} "
                "(enableServiceLinks: false keeps them out)",
            )
        )


def _merge(merged: dict[str, Given], layer: Iterable[Given]) -> None:
    """Let `layer` win. A layer that names the node by one of its two names takes both."""
    entries = list(layer)
    if any(given.key in ("node.id", "broker.id") for given in entries):
        merged.pop("node.id", None)
        merged.pop("broker.id", None)
    merged.update((given.key, given) for given in entries)


def _listeners_from_older_names(merged: dict[str, Given], notes: list[Note]) -> None:
    """`host.name`, `port`, `advertised.host.name` and `advertised.port` in today's words."""
    older = {name: merged.pop(name) for name in LEGACY if name in merged}
    if not older:
        return
    for name in ("port", "advertised.port"):
        if name in older and not older[name].text.strip().isdigit():
            where, text = older[name].where, older[name].text
            raise ConfigurationError(f"{where}: {name}={text}: a port number is expected")
    text_of = {name: given.text.strip() for name, given in older.items()}
    where = ", ".join(given.where for given in older.values())
    host, port = text_of.get("host.name", ""), text_of.get("port", "9092")
    advertised_host = text_of.get("advertised.host.name") or host
    made = []
    if "listeners" not in merged:
        made.append(Given("listeners", f"PLAINTEXT://{_bracketed(host)}:{port}", where))
    if "advertised.listeners" not in merged and advertised_host:
        address = f"{_bracketed(advertised_host)}:{text_of.get('advertised.port', port)}"
        made.append(Given("advertised.listeners", f"PLAINTEXT://{address}", where))
    merged.update((given.key, given) for given in made)
    spelled = " and ".join(f"{given.key}={given.text}" for given in made) or "nothing: others win"
    notes.append(
        Note("WARNING", f"{', '.join(older)}: removed from Kafka, read here as {spelled} ({where})")
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _listeners_from_advertised(merged: dict[str, Given], notes: list[Note]) -> None:
    """Where only advertised.listeners is given, a loopback default would make it a lie.

    From `KAFKA_ADVERTISED_LISTENERS` the images derive the listeners, host by host; from a file
    Kafka would listen on port 9092 of every interface.
    """
    advertised = merged.get("advertised.listeners")
    if advertised is None or "listeners" in merged:
        return
    text = "PLAINTEXT://:9092"
    if advertised.where == "KAFKA_ADVERTISED_LISTENERS":
        text = ",".join(_everywhere(entry.strip()) for entry in advertised.text.split(","))
    where = f"derived from {advertised.where}"
    merged["listeners"] = Given("listeners", text, where)
    notes.append(Note("INFO", f"listeners={text}, {where}"))


def _alone_where_an_image_names_an_ensemble(merged: dict[str, Given], notes: list[Note]) -> None:
    """An image of before KRaft names an ensemble although it runs one broker: it had no other way.

    A file or a command line that names one asks for a cluster.
    """
    ensemble = merged.get("zookeeper.connect")
    if ensemble is None or "ottla.metadata.store" in merged:
        return
    if ensemble.text.strip() and ensemble.where.startswith("KAFKA_"):
        where = f"derived from {ensemble.where}"
        merged["ottla.metadata.store"] = Given("ottla.metadata.store", "local", where)
        notes.append(
            Note(
                "WARNING",
                f"{ensemble.where}={ensemble.text.strip()}: this version forms no cluster, so this "
                "broker keeps its metadata itself and needs no ZooKeeper; a second broker with the "
                "same ensemble is a cluster of its own (OTTLA_METADATA_STORE=local: known, say no "
                "more; auto: refuse the start instead)",
            )
        )


def _everywhere(entry: str) -> str:
    """`NAME://host:port` with every interface for its host."""
    name, separator, address = entry.partition("://")
    _, colon, port = address.rpartition(":")
    return f"{name}://0.0.0.0:{port}" if separator and colon else entry


def _both_ids(merged: dict[str, Given]) -> None:
    """As in Kafka, one of node.id and broker.id gives the other; -1 is none."""
    for name, other in (("node.id", "broker.id"), ("broker.id", "node.id")):
        given = merged.get(name)
        if given is not None and other not in merged and not given.text.strip().startswith("-"):
            merged[other] = Given(other, given.text, given.where)


def _check(merged: Mapping[str, Given], notes: list[Note]) -> tuple[str, ...]:
    """Check each value by itself; note what is unknown and what is accepted without a meaning."""
    accepted: list[str] = []
    not_yet: list[str] = []
    unknown: list[str] = []
    for key, given in sorted(merged.items()):
        setting = KNOWN.get(base_name(key))
        if setting is None:
            if key.startswith(ACCEPTED_PREFIXES):
                accepted.append(key)
            else:
                unknown.append(key)
                notes.append(_unknown(given))
            continue
        try:
            value = value_of(setting, given.text)
        except ConfigurationError as error:
            renamed = f" (as {key})" if key != setting.name else ""
            raise ConfigurationError(f"{given.where}: {error}{renamed}") from None
        if key in _IGNORED_LOUDLY and value:
            notes.append(Note("WARNING", f"{given.where}: {key} is not in this version; ignored"))
        elif setting.name in NOT_YET:
            not_yet.append(key)
        elif not setting.honored or key != setting.name:
            accepted.append(key)
    if accepted:
        notes.append(Note("INFO", f"accepted, without a meaning here: {', '.join(accepted)}"))
    if not_yet:
        notes.append(Note("INFO", f"accepted, but not in this version yet: {', '.join(not_yet)}"))
    return tuple(unknown)


def _unknown(given: Given) -> Note:
    near = nearest(given.key)
    hint = f"; did you mean {near}?" if near else ""
    return Note("WARNING", f"{given.where}: {given.key} is not a setting{hint}")
