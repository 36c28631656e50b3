"""Which of several quotas holds for a client, and with whom it shares its meter.

The most specific one holds: for the user and the client id, for the user and any client, for the user
alone; then the same for any user; then for the client id, and for any client. A quota of a user alone is
shared by all his clients, one of a client id by all users; every other is each pair's own.

A client without an id has the quotas of its user only, as in Apache Kafka.

Source: KIP-55, KIP-124.
"""

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeAlias, TypeVar, final

from ottla import probe
from ottla.core.metadata.quota import CLIENT_ID, IP, USER, QuotaEntity
from ottla.limits import QUOTA_METERS_MAX

M = TypeVar("M")

_ANY: Final = ""  # no user and no client is called so
Whose: TypeAlias = tuple[str | None, str | None]
"""A user and a client id, None: not looked at."""


@final
class Limits(Generic[M]):
    """The limits of one key, and a meter for each client that has one."""

    __slots__ = ("_by_whose", "_key", "_make", "_meters")

    def __init__(self, key: str, make: Callable[[], M]) -> None:
        self._key = key
        self._make = make
        self._by_whose: dict[Whose, float] = {}
        self._meters: dict[Whose, M] = {}

    def follow(self, quotas: Mapping[QuotaEntity, Mapping[str, float]]) -> bool:
        """These hold from now on; what was used stays counted. True: there is any."""
        self._by_whose = {}
        for entity, values in quotas.items():
            limit = values.get(self._key)
            parts = dict(entity)
            # Nothing that is not above zero can be set; a foreign log might hold it.
            if limit is None or not limit > 0 or IP in parts or _ANY in parts.values():
                continue
            whose = (_part(parts, USER), _part(parts, CLIENT_ID))
            if probe.MUTANTS and probe.mutant("KIP55-quota-of-another") and len(parts) == 1:
                whose = (whose[0] and _ANY, whose[1] and _ANY)
            if whose != (None, None):
                self._by_whose[whose] = limit
        if not self._by_whose:
            self._meters.clear()
        return bool(self._by_whose)

    def limit(self, user: str, client_id: str) -> float | None:
        found = self._find(user, client_id)
        return None if found is None else found[1]

    def meter(self, user: str, client_id: str) -> tuple[M, float] | None:
        """The meter and the limit of a client; None: it has none."""
        found = self._find(user, client_id)
        if found is None:
            return None
        (of_user, of_client), limit = found
        whose = (None if of_user is None else user, None if of_client is None else client_id)
        meters = self._meters
        meter = meters.pop(whose, None)
        if meter is None:
            meter = self._make()
            if len(meters) >= QUOTA_METERS_MAX:
                del meters[next(iter(meters))]
        meters[whose] = meter
        return meter, limit

    def _find(self, user: str, client_id: str) -> tuple[Whose, float] | None:
        by_whose = self._by_whose
        if not by_whose:
            return None
        for whose in _WITHOUT_CLIENT if not client_id else _LEVELS:
            of_user, of_client = whose
            key = (user if of_user else of_user, client_id if of_client else of_client)
            limit = by_whose.get(key)
            if limit is not None:
                return whose, limit
        return None

    def check_invariants(self) -> None:
        assert len(self._meters) <= QUOTA_METERS_MAX


_OWN: Final = "own"
_LEVELS: Final[tuple[Whose, ...]] = tuple(
    (of_user, of_client)
    for of_user in (_OWN, _ANY, None)
    for of_client in (_OWN, _ANY, None)
    if (of_user, of_client) != (None, None)
)
_WITHOUT_CLIENT: Final[tuple[Whose, ...]] = ((_OWN, None), (_ANY, None))


def _part(parts: Mapping[str, str | None], kind: str) -> str | None:
    return (parts[kind] or _ANY) if kind in parts else None
