"""Every configuration that kafka-python knows, 2.x and 3.x: who takes it, its default, its type.

`configured` looks at what a program gave: an unknown name is refused with the nearest one that
exists, a value of a wrong type with what is expected. A name that means nothing here is accepted, and
says so once per process, as an `OttlaCompatWarning`; so is 2.x's spelling of what has another now.
What cannot be left out in silence, like a proxy, is refused.

Elsewhere: what the values become, `options.py`.
"""

import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Final, TypeVar

from ottla.kafka.errors import InvalidConfigValueError, UnknownConfigError
from ottla.version import __version__

T = TypeVar("T")


class OttlaCompatWarning(UserWarning):
    """Something of kafka-python's that is accepted and does nothing, or has another name by now."""


class For(Enum):
    """Which client; the value is its class' name."""

    PRODUCER = "KafkaProducer"
    CONSUMER = "KafkaConsumer"
    ADMIN = "KafkaAdminClient"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


class Kind(Enum):
    """What a value may be: in words, and as a check."""

    NUMBER = ("a number, 0 or more", _is_number)
    POSITIVE = ("a number above 0", lambda v: _is_number(v) and bool(v))
    TEXT = ("text", _is_text)
    FLAG = ("True or False", lambda v: isinstance(v, bool) or v in (0, 1))
    CALLABLE = ("something to call", callable)
    ACKS = ("0, 1, -1 or 'all'", lambda v: v == "all" or (_is_whole(v) and v in (0, 1, -1)))
    SERVERS = (
        "'host:port', or a list of them",
        lambda v: isinstance(v, list | tuple | set | frozenset | str) and bool(v),
    )
    SEQUENCE = ("a list", lambda v: isinstance(v, list | tuple | set | frozenset))
    ANYTHING = ("anything", lambda v: True)

    def __init__(self, words: str, fits: Callable[[object], bool]) -> None:
        self.words = words
        self.fits = fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One name. `silent`: why nothing comes of it here; `refused`: why it cannot even be accepted."""

    kind: Kind
    default: object
    clients: frozenset[For]
    may_be_none: bool = False
    choices: tuple[object, ...] = ()
    silent: str | None = None
    refused: str | None = None


_ALL: Final = frozenset(For)
_P: Final = frozenset({For.PRODUCER})
_C: Final = frozenset({For.CONSUMER})
_PC: Final = _P | _C
_NONE: Final = object()

_NEGOTIATED: Final = "versions are agreed on with each broker"
_NO_SELECTOR: Final = "there is one event loop for all clients of a process"
_OWN_METRICS: Final = "metrics() has its own numbers"
_NO_PROXY: Final = "connections through a proxy are not there"


def _number(default: float, clients: frozenset[For] = _ALL, **more: str) -> Known:
    return Known(kind=Kind.NUMBER, default=default, clients=clients, silent=more.get("silent"))


def _flag(default: bool, clients: frozenset[For] = _ALL, **more: str) -> Known:
    return Known(kind=Kind.FLAG, default=default, clients=clients, silent=more.get("silent"))


def _optional(kind: Kind, clients: frozenset[For] = _ALL, **more: str) -> Known:
    return Known(
        kind=kind,
        default=None,
        clients=clients,
        may_be_none=True,
        silent=more.get("silent"),
        refused=more.get("refused"),
    )


def _choice(default: object, *choices: object, clients: frozenset[For] = _ALL) -> Known:
    may_be_none = default is None
    return Known(
        kind=Kind.ANYTHING,
        default=default,
        clients=clients,
        choices=choices,
        may_be_none=may_be_none,
    )


KNOWN: Final[Mapping[str, Known]] = {
    # connections
    "bootstrap_servers": _optional(Kind.SERVERS),
    "client_id": Known(
        kind=Kind.TEXT, default=f"ottla-{__version__}", clients=_ALL, may_be_none=True
    ),
    "connections_max_idle_ms": _number(540_000),
    "metadata_max_age_ms": _number(300_000),
    "client_dns_lookup": _choice(
        "use_all_dns_ips", "use_all_dns_ips", "resolve_canonical_bootstrap_servers_only", "default"
    ),
    "retry_backoff_ms": _number(100),
    "request_timeout_ms": Known(kind=Kind.POSITIVE, default=30_000, clients=_ALL),
    "default_api_timeout_ms": Known(kind=Kind.POSITIVE, default=60_000, clients=_ALL),
    "receive_message_max_bytes": Known(kind=Kind.POSITIVE, default=100_000_000, clients=_ALL),
    "receive_buffer_bytes": _optional(Kind.POSITIVE),
    "send_buffer_bytes": _optional(Kind.POSITIVE),
    "socket_options": _optional(Kind.SEQUENCE),
    "reconnect_backoff_ms": _number(50),
    "reconnect_backoff_max_ms": _number(30_000),
    "max_in_flight_requests_per_connection": Known(kind=Kind.POSITIVE, default=5, clients=_ALL),
    # 3.x waits 30 s; a program whose broker is down should hear it before its user gives up.
    "bootstrap_timeout_ms": _number(4_500),
    "api_version_auto_timeout_ms": _number(2_000),
    "socket_connection_setup_timeout_ms": Known(kind=Kind.POSITIVE, default=10_000, clients=_ALL),
    "socket_connection_setup_timeout_max_ms": _number(30_000),
    "allow_auto_create_topics": _flag(True, _PC),
    "api_version": _optional(Kind.ANYTHING, silent=_NEGOTIATED),
    "selector": _optional(Kind.ANYTHING, silent=_NO_SELECTOR),
    "kafka_client": _optional(Kind.ANYTHING, silent=_NO_SELECTOR),
    "net": _optional(Kind.ANYTHING, silent=_NO_SELECTOR),
    "proxy_url": _optional(Kind.TEXT, refused=_NO_PROXY),
    "socks5_proxy": _optional(Kind.TEXT, refused=_NO_PROXY),
    "bootstrap_topics_filter": _optional(
        Kind.SEQUENCE, silent="topics are asked for when they are used"
    ),
    # metrics
    "metric_reporters": _optional(Kind.SEQUENCE, silent=_OWN_METRICS),
    "metrics_enabled": _flag(True, _PC, silent=_OWN_METRICS),
    "metrics_num_samples": _number(2, silent=_OWN_METRICS),
    "metrics_sample_window_ms": _number(30_000, silent=_OWN_METRICS),
    "metric_group_prefix": Known(kind=Kind.TEXT, default="consumer", clients=_C),
    # security
    "security_protocol": _choice("PLAINTEXT", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "ssl_context": _optional(Kind.ANYTHING),
    "ssl_check_hostname": _flag(True),
    "ssl_cafile": _optional(Kind.TEXT),
    "ssl_certfile": _optional(Kind.TEXT),
    "ssl_keyfile": _optional(Kind.TEXT),
    "ssl_crlfile": _optional(Kind.TEXT),
    "ssl_password": _optional(Kind.ANYTHING),
    "ssl_ciphers": _optional(Kind.TEXT),
    "sasl_mechanism": _choice(
        None, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", "AWS_MSK_IAM"
    ),
    "sasl_plain_username": _optional(Kind.TEXT),
    "sasl_plain_password": _optional(Kind.TEXT),
    "sasl_oauth_token_provider": _optional(Kind.ANYTHING),
    "sasl_kerberos_name": _optional(Kind.ANYTHING, silent="there is no Kerberos"),
    "sasl_kerberos_service_name": Known(kind=Kind.TEXT, default="kafka", clients=_ALL),
    "sasl_kerberos_domain_name": _optional(Kind.TEXT, silent="there is no Kerberos"),
    # producer
    "key_serializer": _optional(Kind.ANYTHING, _P),
    "value_serializer": _optional(Kind.ANYTHING, _P),
    "enable_idempotence": _flag(True, _P),
    "transactional_id": _optional(Kind.TEXT, _P),
    "transaction_timeout_ms": _number(60_000, _P),
    "delivery_timeout_ms": Known(kind=Kind.POSITIVE, default=120_000, clients=_P),
    "acks": Known(kind=Kind.ACKS, default=-1, clients=_P),
    "compression_type": _choice(None, "gzip", "snappy", "lz4", "zstd", clients=_P),
    "retries": _number(inf, _P),
    "batch_size": _number(16_384, _P),
    "linger_ms": _number(0, _P),
    "buffer_memory": Known(kind=Kind.POSITIVE, default=33_554_432, clients=_P),
    "partitioner": _optional(Kind.ANYTHING, _P),
    "max_block_ms": _number(60_000, _P),
    "max_request_size": Known(kind=Kind.POSITIVE, default=1_048_576, clients=_P),
    # consumer
    "group_id": _optional(Kind.TEXT, _C),
    "group_instance_id": _optional(Kind.TEXT, _C),
    "client_rack": Known(kind=Kind.TEXT, default="", clients=_C, may_be_none=True),
    "key_deserializer": _optional(Kind.ANYTHING, _C),
    "value_deserializer": _optional(Kind.ANYTHING, _C),
    "enable_incremental_fetch_sessions": _flag(True, _C),
    "fetch_max_wait_ms": _number(500, _C),
    "fetch_min_bytes": _number(1, _C),
    "fetch_max_bytes": Known(kind=Kind.POSITIVE, default=52_428_800, clients=_C),
    "max_partition_fetch_bytes": Known(kind=Kind.POSITIVE, default=1_048_576, clients=_C),
    "auto_offset_reset": _choice(
        "latest", "earliest", "latest", "none", "smallest", "largest", clients=_C
    ),
    "enable_auto_commit": _flag(True, _C),
    "auto_commit_interval_ms": _number(5_000, _C),
    "default_offset_commit_callback": _optional(Kind.CALLABLE, _C),
    "check_crcs": _flag(True, _C),
    "isolation_level": _choice(
        "read_uncommitted", "read_uncommitted", "read_committed", clients=_C
    ),
    "partition_assignment_strategy": _optional(Kind.SEQUENCE, _C),
    "max_poll_records": Known(kind=Kind.POSITIVE, default=500, clients=_C),
    "max_poll_interval_ms": Known(kind=Kind.POSITIVE, default=300_000, clients=_C),
    "session_timeout_ms": Known(kind=Kind.POSITIVE, default=45_000, clients=_C),
    "heartbeat_interval_ms": Known(kind=Kind.POSITIVE, default=3_000, clients=_C),
    "consumer_timeout_ms": Known(kind=Kind.ANYTHING, default=inf, clients=_C, may_be_none=True),
    "exclude_internal_topics": _flag(True, _C),
    "legacy_iterator": _flag(False, _C, silent="there is one iterator"),
}

_RENAMED: Final = {
    "api_version_auto_timeout_ms": "bootstrap_timeout_ms",
}
"""2.x's spelling and today's."""

_OLD_VALUES: Final[Mapping[str, Mapping[object, str]]] = {
    "auto_offset_reset": {"smallest": "earliest", "largest": "latest"},
}

_warned: set[str] = set()


def defaults(client: For) -> dict[str, object]:
    """What holds when nothing is said: `DEFAULT_CONFIG` of the client's class."""
    return {name: known.default for name, known in KNOWN.items() if client in known.clients}


def configured(client: For, given: Mapping[str, object]) -> dict[str, object]:
    """All configurations of a client, as given or by default.

    Raises UnknownConfigError (a TypeError), InvalidConfigValueError (a TypeError and a ValueError).
    """
    config = defaults(client)
    for name, value in given.items():
        known = KNOWN.get(name)
        if known is None or client not in known.clients:
            raise UnknownConfigError(_unknown(client, name))
        if value is None and (known.may_be_none or name == "socket_options"):
            config[name] = known.default if name == "client_rack" else None
            continue
        _check(client, name, known, value)
        if known.silent is not None and value != known.default:
            _warn(name, f"{name} has no meaning here: {known.silent}")
        config[name] = _OLD_VALUES.get(name, {}).get(value, value) if _is_text(value) else value
    for old, new in _RENAMED.items():
        if old in given:
            _warn(old, f"{old} is called {new} by now")
            if new not in given:
                config[new] = given[old]
    return config


def text(config: Mapping[str, object], name: str) -> str | None:
    return _as(config, name, str, none=True)


def number(config: Mapping[str, object], name: str) -> int:
    """A whole number; infinity is the largest one there is room for."""
    value = config[name]
    assert isinstance(value, int | float), name
    return _WHOLE_MAX if value == inf else int(value)


def optional_number(config: Mapping[str, object], name: str) -> int | None:
    return None if config[name] is None else number(config, name)


def flag(config: Mapping[str, object], name: str) -> bool:
    return bool(config[name])


_WHOLE_MAX: Final = 2**31 - 1


def _as(config: Mapping[str, object], name: str, kind: type[T], *, none: bool) -> T | None:
    value = config[name]
    assert (none and value is None) or isinstance(value, kind), name
    return value if isinstance(value, kind) else None


def _check(client: For, name: str, known: Known, value: object) -> None:
    if known.refused is not None:
        raise InvalidConfigValueError(f"{name}={value!r}: {known.refused}")
    if known.choices:
        if value not in known.choices:
            raise InvalidConfigValueError(
                f"{name}={value!r}: one of {', '.join(map(repr, known.choices))} is expected"
                + _nearest(str(value), [str(one) for one in known.choices])
            )
        return
    if not known.kind.fits(value):
        raise InvalidConfigValueError(
            f"{client.value}: {name}={value!r}: {known.kind.words} is expected, not "
            f"{type(value).__name__}"
        )


def _unknown(client: For, name: str) -> str:
    known = KNOWN.get(name)
    if known is not None:
        takers = " and ".join(sorted(one.value for one in known.clients))
        return f"{client.value} has no configuration {name!r}; {takers} has"
    names = [one for one, known in KNOWN.items() if client in known.clients]
    # confluent-kafka's spelling, by those who come from there.
    return f"{client.value} has no configuration {name!r}" + _nearest(name.replace(".", "_"), names)


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; is {near[0]!r} meant?" if near else ""


def _warn(name: str, words: str) -> None:
    if name not in _warned:
        _warned.add(name)
        warnings.warn(words, OttlaCompatWarning, stacklevel=4)
