"""How fast new connections may come, in all and from one IP address.

Above the rate for all, none is taken for a while, at most one window: they wait in the kernel's queue. From
one address, a connection that is too many is not counted; how long it is held before it is closed is what its peer's
address would have to wait, at most one window.

Source: KIP-612. Elsewhere: how many there may be at a time, see `aio/server.py`, which also holds and
closes them.
"""

from collections.abc import Mapping
from typing import Final, final

from ottla.core.metadata.quota import CONNECTION_CREATION_RATE, IP, QuotaEntity
from ottla.core.quota.rate import Rate
from ottla.limits import INT_MAX, QUOTA_METERS_MAX
from ottla.settings.broker import QuotaSettings

_NO_RATES: Final[Mapping[str | None, float]] = {}


@final
class Accepts:
    """One broker's new connections."""

    __slots__ = ("_meters", "_of_all", "_rates", "_settings")

    def __init__(self, settings: QuotaSettings) -> None:
        self._settings = settings
        self._rates = _NO_RATES
        self._meters: dict[str, Rate] = {}
        self._of_all = Rate(settings.windows, settings.window_ms)

    def pause_ms(self, now_ms: int, rate_max: int) -> int:
        """0: another connection may be taken, from wherever. `rate_max`: per second; 0 counts as 1."""
        if rate_max == INT_MAX:
            return 0
        wait_ms = self._of_all.wait_ms(now_ms, max(1, rate_max), 1)
        return min(wait_ms, self._settings.window_ms)

    def taken(self, now_ms: int) -> None:
        """A connection was taken from the queue, whatever becomes of it."""
        self._of_all.record(now_ms, 1)

    def follow(self, rates: Mapping[str | None, float]) -> None:
        """Connections per second and address from now on; None: of any other address."""
        self._rates = rates
        if not rates:
            self._meters.clear()

    def hold_ms(self, now_ms: int, address: str) -> int:
        """0: a new connection from there is welcome, and counted."""
        if not self._rates:
            return 0
        limit = self._rates.get(address, self._rates.get(None))
        if limit is None:
            return 0
        settings = self._settings
        meter = self._meters.pop(address, None)
        if meter is None:
            meter = Rate(settings.windows, settings.window_ms)
            if len(self._meters) >= QUOTA_METERS_MAX:
                del self._meters[next(iter(self._meters))]
        self._meters[address] = meter
        wait_ms = meter.wait_ms(now_ms, limit, 1)
        if wait_ms:
            return min(wait_ms, settings.window_ms)
        meter.record(now_ms, 1)
        return 0


def canonical_address(text: str) -> str | None:
    """An IP address as sockets tell it, an IPv4 address within IPv6 as IPv4; None: it is none."""
    # Here and not above: a start pays for it only where connections are limited.
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def accept_rates(
    quotas: Mapping[QuotaEntity, Mapping[str, float]],
) -> Mapping[str | None, float]:
    """The rates by address, None: the default. What is no address is passed over."""
    rates: dict[str | None, float] = {}
    for entity, values in quotas.items():
        limit = values.get(CONNECTION_CREATION_RATE)
        if limit is None or not limit > 0 or len(entity) != 1 or entity[0][0] != IP:
            continue
        name = entity[0][1]
        address = None if name is None else canonical_address(name)
        if name is None or address is not None:
            rates[address] = limit
    return rates
