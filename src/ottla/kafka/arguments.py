"""The configurations as types, so that an editor completes them and a type checker knows their values.

What holds at run time, defaults and checks, is `config.py`; a test holds the two together.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from ssl import SSLContext

Callback: TypeAlias = Callable[..., object]  # type: ignore[explicit-any]
"""A program's function: what it takes besides is what it was added with."""

Servers: TypeAlias = str | Sequence[str]
Number: TypeAlias = int | float
Anything: TypeAlias = object


class ConnectionArguments(TypedDict, total=False):
    bootstrap_servers: Servers | None
    client_id: str | None
    connections_max_idle_ms: Number
    metadata_max_age_ms: Number
    client_dns_lookup: str
    retry_backoff_ms: Number
    request_timeout_ms: Number
    default_api_timeout_ms: Number
    receive_message_max_bytes: Number
    receive_buffer_bytes: int | None
    send_buffer_bytes: int | None
    socket_options: Sequence[tuple[int, int, int]] | None
    reconnect_backoff_ms: Number
    reconnect_backoff_max_ms: Number
    max_in_flight_requests_per_connection: int
    bootstrap_timeout_ms: Number
    api_version_auto_timeout_ms: Number
    socket_connection_setup_timeout_ms: Number
    socket_connection_setup_timeout_max_ms: Number
    api_version: Anything
    selector: Anything
    kafka_client: Anything
    net: Anything
    proxy_url: str | None
    socks5_proxy: str | None
    bootstrap_topics_filter: Sequence[str] | frozenset[str] | set[str] | None
    metric_reporters: Sequence[object] | None
    metrics_num_samples: int
    metrics_sample_window_ms: Number
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    ssl_context: "SSLContext | None"
    ssl_check_hostname: bool
    ssl_cafile: str | None
    ssl_certfile: str | None
    ssl_keyfile: str | None
    ssl_crlfile: str | None
    ssl_password: Anything
    ssl_ciphers: str | None
    sasl_mechanism: str | None
    sasl_plain_username: str | None
    sasl_plain_password: str | None
    sasl_oauth_token_provider: Anything
    sasl_kerberos_name: Anything
    sasl_kerberos_service_name: str
    sasl_kerberos_domain_name: str | None


class ProducerArguments(ConnectionArguments, total=False):
    allow_auto_create_topics: bool
    metrics_enabled: bool
    key_serializer: Anything
    value_serializer: Anything
    enable_idempotence: bool
    transactional_id: str | None
    transaction_timeout_ms: Number
    delivery_timeout_ms: Number
    acks: Literal[0, 1, -1, "all"]
    compression_type: Literal["gzip", "snappy", "lz4", "zstd"] | None
    retries: Number
    batch_size: int
    linger_ms: Number
    buffer_memory: int
    partitioner: Anything
    max_block_ms: Number
    max_request_size: int


class ConsumerArguments(ConnectionArguments, total=False):
    allow_auto_create_topics: bool
    metrics_enabled: bool
    metric_group_prefix: str
    group_id: str | None
    group_instance_id: str | None
    client_rack: str | None
    key_deserializer: Anything
    value_deserializer: Anything
    enable_incremental_fetch_sessions: bool
    fetch_max_wait_ms: Number
    fetch_min_bytes: int
    fetch_max_bytes: int
    max_partition_fetch_bytes: int
    auto_offset_reset: Literal["earliest", "latest", "none", "smallest", "largest"]
    enable_auto_commit: bool
    auto_commit_interval_ms: Number
    default_offset_commit_callback: Callback | None
    check_crcs: bool
    isolation_level: Literal["read_uncommitted", "read_committed"]
    partition_assignment_strategy: Sequence[object] | None
    max_poll_records: int
    max_poll_interval_ms: Number
    session_timeout_ms: Number
    heartbeat_interval_ms: Number
    consumer_timeout_ms: Number | None
    exclude_internal_topics: bool
    legacy_iterator: bool


class AdminArguments(ConnectionArguments, total=False):
    """Those of every connection."""
