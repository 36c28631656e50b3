"""Listeners: where the broker listens, and under which address clients are told to come back.

`advertised` None means: answer with the address the client's connection arrived on. That is so when
neither `advertised.listeners` nor a host in `listeners` was configured; it spares a broker on one
machine the most common failure, an advertised address the client cannot reach.

Source: KIP-103 (several listeners), KIP-291; the controller's listeners (KIP-631) are accepted and
not opened, because nothing here speaks to a controller over the network.
"""

from typing import Final, NamedTuple

from ottla.settings.definition import ConfigurationError
from ottla.settings.parse import Values

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

WILDCARDS: Final = ("", "0.0.0.0", "::")
"""Hosts that mean every interface; no client can connect to them."""


class HostPort(NamedTuple):
    host: str
    port: int

    @property
    def from_here(self) -> "HostPort":
        """What a client on this machine dials to get to what listens here."""
        return HostPort("localhost", self.port) if self.host in WILDCARDS else self

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener(NamedTuple):
    """`host` empty: every interface. `port` 0: any free port."""

    name: str
    protocol: str
    host: str
    port: int
    advertised: HostPort | None


class Endpoint(NamedTuple):
    """`NAME://host:port` as written."""

    name: str
    host: str
    port: int


def listeners_of(values: Values) -> tuple[Listener, ...]:
    """The listeners to open, in the order given, controller listeners left out."""
    protocols = _protocols(values)
    controller = {name.upper() for name in values.strings("controller.listener.names")}
    endpoints = _endpoints(values, "listeners")
    advertised = {
        e.name: HostPort(e.host, e.port) for e in _endpoints(values, "advertised.listeners")
    }
    where = values.where("listeners")
    for name, address in advertised.items():
        _check_advertised(values, name, address, endpoints, controller)
    opened = []
    for endpoint in endpoints:
        if endpoint.name in controller:
            continue
        protocol = protocols.get(endpoint.name)
        if protocol is None:
            raise ConfigurationError(
                f"{where}: listeners names {endpoint.name}, but listener.security.protocol.map does "
                f"not say its protocol; add {endpoint.name}:PLAINTEXT to the map"
            )
        if protocol != "PLAINTEXT":
            raise ConfigurationError(
                f"{where}: listener {endpoint.name} has the protocol {protocol}; this version "
                "listens with PLAINTEXT only (TLS and SASL are not in it yet)"
            )
        opened.append(
            Listener(
                name=endpoint.name,
                protocol=protocol,
                host=endpoint.host,
                port=endpoint.port,
                advertised=advertised.get(endpoint.name) or _configured_host(values, endpoint),
            )
        )
    if not opened:
        raise ConfigurationError(f"{where}: listeners has none for clients, only the controller's")
    return tuple(opened)


def inter_broker_listener_of(values: Values, listeners: tuple[Listener, ...]) -> str:
    """The listener other brokers will use: the one named, else PLAINTEXT, else the first."""
    names = [listener.name for listener in listeners]
    given = values.string_or_none("inter.broker.listener.name")
    if given is None:
        protocol = values.string("security.inter.broker.protocol")
        return protocol if protocol in names else names[0]
    where = values.where("inter.broker.listener.name")
    if values.is_given("security.inter.broker.protocol"):
        raise ConfigurationError(
            f"{where}: inter.broker.listener.name and security.inter.broker.protocol are both set; "
            "only one of them may be"
        )
    if given.upper() not in names:
        raise ConfigurationError(
            f"{where}: inter.broker.listener.name={given}: one of the listeners "
            f"({', '.join(names)}) is expected"
        )
    return given.upper()


def _configured_host(values: Values, endpoint: Endpoint) -> HostPort | None:
    """As Kafka, a host written in `listeners` is also the advertised one."""
    if not values.is_given("listeners") or endpoint.host in WILDCARDS:
        return None
    return HostPort(endpoint.host, endpoint.port)


def _check_advertised(
    values: Values,
    name: str,
    address: HostPort,
    endpoints: list[Endpoint],
    controller: set[str],
) -> None:
    where = values.where("advertised.listeners")
    names = [endpoint.name for endpoint in endpoints]
    if name not in names and name not in controller:
        raise ConfigurationError(
            f"{where}: advertised.listeners names {name}, which is not in listeners "
            f"({', '.join(names)})"
        )
    if address.host in WILDCARDS:
        raise ConfigurationError(
            f"{where}: advertised.listeners={name}://{address}: a host that clients can connect to "
            "is expected; 0.0.0.0 (every interface) belongs into listeners"
        )


def _protocols(values: Values) -> dict[str, str]:
    """Listener name to protocol. A name that is a protocol's stands for itself unless mapped."""
    text = values.string("listener.security.protocol.map")
    where = values.where("listener.security.protocol.map")
    protocols = {}
    for pair in text.split(",") if text.strip() else ():
        name, colon, protocol = pair.strip().rpartition(":")
        if not (name and colon and protocol.upper() in PROTOCOLS):
            raise ConfigurationError(
                f"{where}: listener.security.protocol.map={text}: {pair.strip()!r} is not "
                f"NAME:PROTOCOL with a protocol out of {', '.join(PROTOCOLS)}"
            )
        if name.upper() in protocols:
            raise ConfigurationError(
                f"{where}: listener.security.protocol.map={text}: {name.upper()} stands twice"
            )
        protocols[name.upper()] = protocol.upper()
    return protocols


def _endpoints(values: Values, key: str) -> list[Endpoint]:
    where = values.where(key)
    endpoints = [_endpoint(where, key, text) for text in values.strings(key)]
    names = [endpoint.name for endpoint in endpoints]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{where}: {key}: a listener's name stands twice: {names}")
    if key == "listeners":
        # The same port may be opened on an IPv4 and on an IPv6 address, not twice on one.
        taken = [(endpoint.host, endpoint.port) for endpoint in endpoints if endpoint.port]
        if len(set(taken)) < len(taken):
            raise ConfigurationError(f"{where}: {key}: two listeners have the same host and port")
    return endpoints


def _endpoint(where: str, key: str, text: str) -> Endpoint:
    name, separator, address = text.partition("://")
    host, colon, port = address.rpartition(":")
    is_number = port.isascii() and port.isdigit() and int(port[:6]) <= 65535
    bracketed = host.startswith("[") and host.endswith("]")
    if not (name and separator and colon and is_number) or (":" in host and not bracketed):
        raise ConfigurationError(
            f"{where}: {key}={text}: NAME://host:port is expected, with a port from 0 to 65535"
        )
    return Endpoint(name.strip().upper(), host[1:-1] if bracketed else host, int(port))
