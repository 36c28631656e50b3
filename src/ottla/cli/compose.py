"""A docker-compose file, as far as it says how its Kafka is to run: image, variables, ports.

Scalars are taken as they are written (`true` is "true", `1` is "1"), because they become variables.
`${NAME}` and its forms are replaced from the environment and the file `.env` beside it; anchors and
`<<` are YAML's; `env_file` is read. What only Docker could do something with is not looked at.

Source: the Compose specification. Elsewhere: what is made of it, `up.py`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from ottla.limits import SETTINGS_FILE_BYTES_MAX
from ottla.settings.definition import ConfigurationError

_NULL: Final = "tag:yaml.org,2002:null"
_MERGE: Final = "tag:yaml.org,2002:merge"
_VARIABLE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-+?])(?P<word>[^{}]*))?\})?"
)
_PORT: Final = re.compile(
    r"(?:(?:(?P<host>\[[^]]*\]|[^:]*):)?(?P<published>[\d-]*):)?(?P<target>[\d-]+)(?:/(?P<kind>\w+))?"
)


class Published(NamedTuple):
    """A port of the container and where the machine has it; `host` empty: on every interface."""

    port: int
    host: str
    host_port: int


class Service(NamedTuple):
    """`names`: by which other containers know it."""

    name: str
    image: str
    variables: Mapping[str, str]
    ports: tuple[Published, ...]
    names: frozenset[str]


class Project(NamedTuple):
    name: str
    services: tuple[Service, ...]


def read_project(path: Path, environ: Mapping[str, str]) -> Project:
    """Raises ConfigurationError: where, what, and what to do."""
    top = _mapping(_document(path), str(path))
    known = {**_variables_of(path.parent / ".env", must_exist=False), **environ}
    file = _File(path, known)
    services = _mapping(top.get("services"), f"{path}: services")
    return Project(
        name=file.text(top.get("name")) or path.resolve().parent.name,
        services=tuple(file.service(name, body) for name, body in services.items()),
    )


def _document(path: Path) -> object:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > SETTINGS_FILE_BYTES_MAX:
        raise ConfigurationError(f"{path} is longer than {SETTINGS_FILE_BYTES_MAX:,} bytes")
    text = raw.decode("utf-8-sig", errors="replace")
    try:
        return _plain(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(f"{path}: {_explained(text, error, path)}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _explained(text: str, error: yaml.MarkedYAMLError, path: Path) -> str:
    mark = error.problem_mark
    if mark is None:
        return f"no YAML: {error.problem}"
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        return (
            f"line {mark.line + 1}: tab used for indentation\n"
            f"YAML takes spaces only. To go on with a copy: expand -t 2 {path} > spaces.yml && "
            "ottla up spaces.yml"
        )
    return f"line {mark.line + 1}: {error.problem}"


def _plain(node: yaml.Node | None) -> object:
    """Mappings, lists and texts; None for nothing."""
    match node:
        case yaml.ScalarNode():
            return None if node.tag == _NULL else str(node.value)
        case yaml.SequenceNode():
            return [_plain(one) for one in node.value]
        case yaml.MappingNode():
            own: dict[str, object] = {}
            merged: dict[str, object] = {}
            for key, value in node.value:
                if key.tag != _MERGE:
                    own[str(key.value)] = _plain(value)
                    continue
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = {**_mapping(_plain(source), "<<"), **merged}
            return {**merged, **own}
        case _:
            return None


class _File(NamedTuple):
    """What a text of the file may name."""

    path: Path
    known: Mapping[str, str]

    def service(self, name: str, body: object) -> Service:
        where = f"{self.path}: services.{name}"
        given = _mapping(body, where)
        if "extends" in given:
            raise ConfigurationError(f"{where}.extends is not read: write the service out")
        names = {name, *(self.text(given.get(key)) for key in ("container_name", "hostname"))}
        return Service(
            name=name,
            image=self.text(given.get("image")),
            variables={**self._from_files(given, where), **self._environment(given, where)},
            ports=tuple(self._ports(given, where)),
            names=frozenset(names - {""}),
        )

    def text(self, value: object) -> str:
        """The scalar with its variables replaced; empty for nothing."""
        return _VARIABLE.sub(self._variable, value) if isinstance(value, str) else ""

    def _variable(self, found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["bare"] or found["name"]
        if not name:
            raise ConfigurationError(
                f"{self.path}: {found.string!r}: a variable is $NAME, ${{NAME}} or "
                "${NAME:-default}, and $ itself is $$"
            )
        value, how, word = self.known.get(name), found["how"] or "", found["word"] or ""
        is_there = value is not None and (value != "" or not how.startswith(":"))
        if how.endswith("+"):
            return word if is_there else ""
        if is_there:
            return value or ""
        if how.endswith("?"):
            raise ConfigurationError(f"{self.path}: the variable {name} is not set: {word}")
        return word

    def _environment(self, given: Mapping[str, object], where: str) -> dict[str, str]:
        environment = given.get("environment")
        if isinstance(environment, list):
            pairs = [self.text(entry).partition("=") for entry in environment]
            entries = {name: text if equals else None for name, equals, text in pairs}
        else:
            entries = {
                name: None if text is None else self.text(text)
                for name, text in _mapping(environment or {}, f"{where}.environment").items()
            }
        inherited = {name: self.known.get(name) for name, text in entries.items() if text is None}
        return {name: text for name, text in {**entries, **inherited}.items() if text is not None}

    def _from_files(self, given: Mapping[str, object], where: str) -> dict[str, str]:
        named = given.get("env_file")
        variables: dict[str, str] = {}
        for entry in named if isinstance(named, list) else [named] if named else []:
            long = entry if isinstance(entry, dict) else {"path": entry}
            path = self.path.parent / self.text(long.get("path"))
            variables |= _variables_of(path, must_exist=long.get("required") != "false")
        return variables

    def _ports(self, given: Mapping[str, object], where: str) -> Iterator[Published]:
        ports = given.get("ports") or []
        if not isinstance(ports, list):
            raise ConfigurationError(f"{where}.ports: a list is expected")
        for entry in ports:
            if isinstance(entry, dict):
                fields = {key: self.text(value) for key, value in entry.items()}
                host, kind = fields.get("host_ip", ""), fields.get("protocol", "tcp")
                published, target = fields.get("published", ""), fields.get("target", "")
            else:
                found = _PORT.fullmatch(self.text(entry))
                parts = found.groupdict("") if found else dict.fromkeys(_PORT.groupindex, "")
                host, kind = parts["host"], parts["kind"] or "tcp"
                published, target = parts["published"], parts["target"]
            inside, outside = _range(target), _range(published or target)
            if not inside or len(inside) != len(outside):
                raise ConfigurationError(
                    f"{where}.ports: {entry}: PORT, PORT:PORT or HOST:PORT:PORT is expected"
                )
            if kind == "tcp":
                for port, host_port in zip(inside, outside, strict=True):
                    yield Published(port, host.strip("[]"), host_port)


def _range(text: str) -> range:
    """`9092` or `9092-9094`; empty for what is neither."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and (last or first).isdigit()):
        return range(0)
    return range(int(first[:6]), int((last or first)[:6]) + 1)


def _variables_of(path: Path, *, must_exist: bool) -> dict[str, str]:
    """The `NAME=value` lines of an env file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if not must_exist:
            return {}
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    variables = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in ("'", '"') and value.endswith(value[0]) and len(value) > 1:
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        variables[name.strip()] = value
    return variables


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise ConfigurationError(f"{where}: names with values are expected (`name: value`)")
