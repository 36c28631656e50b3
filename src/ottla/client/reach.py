"""Whether a broker can be reached, and when to try it again.

What can go wrong on the way to an answer is one of four: the address does not work (`Unreachable`),
the broker does not take us for who we say we are (`AuthenticationFailed`), the connection ended
before the answer (`ConnectionLost`), or the peer is no Kafka (`RemoteProtocolError`). Every message
names the address and the way out. All but the second may pass by themselves.

`Reconnects` spreads attempts at an address that failed (KIP-144). Elsewhere: sockets, `aio/dial.py`.
"""

from typing import final

from ottla.backoff import Backoff
from ottla.client.metadata import Address
from ottla.errors import OttlaError


class Unreachable(OttlaError):
    """No connection to an address. The message names it and the reason."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"{address} cannot be reached: {reason}")


class AdvertisedUnreachable(Unreachable):
    """A broker that was asked tells an address at which it, or its peer, cannot be reached."""


class AuthenticationFailed(OttlaError):
    """The broker, or its certificate, was refused, or refuses us. Trying again would not help."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(f"{address}: {reason}")


class ConnectionLost(OttlaError):
    """A connection ended, or a request on it was not answered in time."""


@final
class Reconnects:
    """When an address that did not answer may be tried again. What works is not remembered."""

    __slots__ = ("_backoff", "_failed")

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failed: dict[Address, tuple[int, float]] = {}

    def failed(self, address: Address, now_ms: float, chance: float) -> None:
        """One more attempt in a row came to nothing."""
        failures, _ = self._failed.get(address, (0, 0))
        failures += 1
        self._failed[address] = (failures, now_ms + self._backoff.wait_ms(failures, chance))

    def worked(self, address: Address) -> None:
        self._failed.pop(address, None)

    def wait_ms(self, address: Address, now_ms: float) -> float:
        """How long not to try this address; 0: not at all."""
        _, from_ms = self._failed.get(address, (0, now_ms))
        return max(0, from_ms - now_ms)
