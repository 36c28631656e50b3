"""Configurations of a client become the options of what lies below.

Elsewhere: which configurations there are, `config.py`.
"""

import inspect
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.kafka.config import flag, number, optional_number, text
from ottla.kafka.errors import InvalidConfigValueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from ottla.aio.security import Extensions, Sasl, Security, Token
    from ottla.client.consume.options import ConsumerOptions
    from ottla.client.produce.options import PartitionChoice, ProducerOptions
    from ottla.kafka.cluster import ClusterMetadata

    Choose: TypeAlias = Callable[[str, object, object, object, object, ClusterMetadata], int]

VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
"""Where a cluster is when nothing is said; without it, on this machine."""

_HERE: Final = "localhost:9092"
_PORT: Final = 9092
_PORT_MAX: Final = 65_535


def connection_options(config: Mapping[str, object]) -> ConnectionOptions:
    """Raises InvalidConfigValueError for what cannot work."""
    reconnect_ms = max(1, number(config, "reconnect_backoff_ms"))
    retry_ms = max(1, number(config, "retry_backoff_ms"))
    return ConnectionOptions(
        bootstrap=addresses(config["bootstrap_servers"]),
        client_id=text(config, "client_id"),
        request_ms_max=number(config, "request_timeout_ms"),
        connect_ms_max=number(config, "socket_connection_setup_timeout_ms"),
        api_ms_max=number(config, "default_api_timeout_ms"),
        metadata_age_ms_max=max(1, number(config, "metadata_max_age_ms")),
        retry_backoff_ms=retry_ms,
        retry_backoff_ms_max=max(retry_ms, 1_000),
        reconnect_backoff_ms=reconnect_ms,
        reconnect_backoff_ms_max=max(reconnect_ms, number(config, "reconnect_backoff_max_ms")),
        idle_ms_max=max(1, number(config, "connections_max_idle_ms")),
        send_buffer_bytes=optional_number(config, "send_buffer_bytes"),
        receive_buffer_bytes=optional_number(config, "receive_buffer_bytes"),
        socket_options=_socket_options(config["socket_options"]),
        response_bytes_max=number(config, "receive_message_max_bytes"),
    )


def addresses(given: object) -> tuple[Address, ...]:
    """`host:port`, several with commas or as a list; None: the environment, then this machine."""
    if given is None:
        given = os.environ.get(VARIABLE) or _HERE
    parts = given.split(",") if isinstance(given, str) else given
    assert isinstance(parts, Iterable)
    found = [_address(part.strip()) for part in parts if part.strip()]
    if not found:
        raise InvalidConfigValueError(f"bootstrap_servers={given!r} names no broker")
    return tuple(found)


def _address(text: str) -> Address:
    # Java's form with the protocol in front is taken too.
    _, _, bare = text.rpartition("://")
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]") or (host.count(":") and not host.endswith("]")):
        host, port = bare, str(_PORT)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _PORT_MAX):
        raise InvalidConfigValueError(
            f"bootstrap_servers: {text!r}: host:port is expected, with a port from 1 to {_PORT_MAX:,}"
        )
    return Address(host, int(port))


def _socket_options(given: object) -> tuple[tuple[int, int, int], ...]:
    found = []
    for one in given if isinstance(given, Iterable) else ():
        if not (isinstance(one, tuple | list) and len(one) == 3):
            raise InvalidConfigValueError(
                f"socket_options: {one!r}: (level, option, value) is expected"
            )
        level, option, value = one
        found.append((int(level), int(option), int(value)))
    return tuple(found)


def security(config: Mapping[str, object]) -> "Security":
    """Raises LocalProtocolError for SASL without credentials."""
    from ottla.aio.security import PLAINTEXT, Protocol, Security, Tls

    protocol = Protocol(text(config, "security_protocol"))
    if protocol is Protocol.PLAINTEXT:
        return PLAINTEXT
    context = config["ssl_context"]
    if context is not None:
        from ssl import SSLContext

        if not isinstance(context, SSLContext):
            raise InvalidConfigValueError(f"ssl_context={context!r}: an ssl.SSLContext is expected")
    password = config["ssl_password"]
    tls = Tls(
        context=context,
        ca_path=text(config, "ssl_cafile"),
        certificate_path=text(config, "ssl_certfile"),
        key_path=text(config, "ssl_keyfile"),
        key_password=_secret(password() if callable(password) else password),
        crl_path=text(config, "ssl_crlfile"),
        ciphers=text(config, "ssl_ciphers") if "ssl_ciphers" in config else None,
        must_match_hostname=flag(config, "ssl_check_hostname"),
    )
    return Security(protocol=protocol, tls=tls, sasl=_sasl(config) if protocol.has_sasl else None)


def _sasl(config: Mapping[str, object]) -> "Sasl | None":
    from ottla.aio.security import Sasl

    mechanism = text(config, "sasl_mechanism")
    if mechanism is None:
        return None
    return Sasl(
        mechanism=mechanism,
        username=text(config, "sasl_plain_username"),
        password=text(config, "sasl_plain_password"),
        token=_token(config["sasl_oauth_token_provider"]),
        extensions=_extensions(config["sasl_oauth_token_provider"]),
    )


def _token(provider: object) -> "Token | None":
    """kafka-python's providers have a method `token()`; a function does as well."""
    if provider is None:
        return None
    fetch = getattr(provider, "token", provider)
    if not callable(fetch) or inspect.isclass(provider):
        raise InvalidConfigValueError(
            f"sasl_oauth_token_provider={provider!r}: an object with a method token() is expected"
        )
    found: Token = fetch
    return found


def _extensions(provider: object) -> "Extensions":
    """A provider may have a method `extensions()`, whose words go with each token."""
    fetch = getattr(provider, "extensions", dict)

    def extensions() -> Mapping[str, str]:
        return {str(name): str(value) for name, value in fetch().items()}

    return extensions


def _secret(given: object) -> str | None:
    if isinstance(given, bytes | bytearray):
        return given.decode()
    return None if given is None else str(given)


_CODECS: Final = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_IDEMPOTENT_IN_FLIGHT_MAX: Final = 5


def producer_options(config: Mapping[str, object], given: frozenset[str]) -> "ProducerOptions":
    """`given`: the names that the program said. Raises LocalProtocolError for what excludes itself."""
    from ottla.client.produce.options import ProducerOptions

    acks = -1 if config["acks"] == "all" else number(config, "acks")
    in_flight = number(config, "max_in_flight_requests_per_connection")
    retries = number(config, "retries")
    idempotent = flag(config, "enable_idempotence")
    if "enable_idempotence" not in given:
        # On by default, where the rest allows it.
        idempotent = acks == -1 and in_flight <= _IDEMPOTENT_IN_FLIGHT_MAX and retries > 0
    codec = config["compression_type"]
    assert codec is None or isinstance(codec, str)
    return ProducerOptions(
        acks=acks,
        linger_ms=number(config, "linger_ms"),
        batch_size=number(config, "batch_size"),
        buffer_memory=number(config, "buffer_memory"),
        codec=_CODECS[codec],
        max_request_size=number(config, "max_request_size"),
        max_in_flight=in_flight,
        retries=retries,
        delivery_timeout_ms=number(config, "delivery_timeout_ms"),
        enable_idempotence=idempotent,
        partitioner=_function(config["partitioner"]),
        max_block_ms=number(config, "max_block_ms"),
        # kafka-python draws for each record: programs that send a few count on all partitions.
        spreads_batches=True,
        allow_auto_create=flag(config, "allow_auto_create_topics"),
        transactional_id=text(config, "transactional_id"),
    )


def own_partitioner(config: Mapping[str, object]) -> "Choose | None":
    """kafka-python 3's form of a partitioner of one's own; None: the client's."""
    given = config["partitioner"]
    if given is None or _is_default(given) or _function(given) is not None:
        return None
    choose = getattr(given, "partition", None)
    if isinstance(given, type) or not callable(choose):
        raise InvalidConfigValueError(
            f"partitioner={given!r}: a function of key, all and available partitions, or an object "
            "with a method partition(topic, key, serialized_key, value, serialized_value, cluster)"
        )
    found: Choose = choose
    return found


def _is_default(given: object) -> bool:
    from ottla.kafka.partitioner.default import DefaultPartitioner, StickyPartitioner

    kind = given if isinstance(given, type) else type(given)
    return kind in (DefaultPartitioner, StickyPartitioner)


def _function(given: object) -> "PartitionChoice | None":
    """2.x's form; None: it is no such."""
    if given is None or _is_default(given) or isinstance(given, type):
        return None
    if not callable(given) or hasattr(given, "partition"):
        return None
    found: PartitionChoice = given
    return found


_STRATEGIES: Final = ("range", "roundrobin")
"""What kafka-python says when the program does not."""


def consumer_options(config: Mapping[str, object]) -> "ConsumerOptions":
    """Raises LocalProtocolError for what excludes itself."""
    from ottla.client.consume.options import ConsumerOptions

    committed = config["isolation_level"] == "read_committed"
    return ConsumerOptions(
        group_id=text(config, "group_id"),
        group_instance_id=text(config, "group_instance_id"),
        client_rack=text(config, "client_rack") or "",
        assignors=_assignors(config["partition_assignment_strategy"]),
        offset_reset=text(config, "auto_offset_reset") or "none",
        auto_commit=flag(config, "enable_auto_commit") and config["group_id"] is not None,
        auto_commit_interval_ms=number(config, "auto_commit_interval_ms"),
        isolation="read_committed" if committed else "read_uncommitted",
        check_crcs=flag(config, "check_crcs"),
        fetch_sessions=flag(config, "enable_incremental_fetch_sessions"),
        fetch_wait_ms_max=number(config, "fetch_max_wait_ms"),
        fetch_bytes_min=number(config, "fetch_min_bytes"),
        fetch_bytes_max=number(config, "fetch_max_bytes"),
        partition_fetch_bytes_max=number(config, "max_partition_fetch_bytes"),
        poll_records_max=number(config, "max_poll_records"),
        poll_interval_ms_max=number(config, "max_poll_interval_ms"),
        session_timeout_ms=number(config, "session_timeout_ms"),
        heartbeat_interval_ms=number(config, "heartbeat_interval_ms"),
        exclude_internal_topics=flag(config, "exclude_internal_topics"),
        allow_auto_create=flag(config, "allow_auto_create_topics"),
    )


def _assignors(given: object) -> tuple[str, ...]:
    """By name, from kafka-python's classes, objects of them, or the names themselves."""
    if given is None:
        return _STRATEGIES
    assert isinstance(given, Iterable)
    found = []
    for one in given:
        name = one if isinstance(one, str) else getattr(one, "name", None)
        if not isinstance(name, str):
            raise InvalidConfigValueError(
                f"partition_assignment_strategy: {one!r}: a class of "
                "kafka.coordinator.assignors, or a strategy's name, is expected"
            )
        found.append(name)
    return tuple(found)
