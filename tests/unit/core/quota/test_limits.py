"""Which quota holds for whom, and who shares a meter with whom."""

import pytest

from ottla.core.metadata.quota import QuotaEntity
from ottla.core.quota.accepts import Accepts, accept_rates, canonical_address
from ottla.core.quota.limits import Limits
from ottla.limits import INT_MAX, QUOTA_METERS_MAX
from tests.unit.fakes.quotas import WINDOWS

KEY = "producer_byte_rate"
LADDER: list[QuotaEntity] = [
    (("client-id", "c"), ("user", "u")),
    (("client-id", None), ("user", "u")),
    (("user", "u"),),
    (("client-id", "c"), ("user", None)),
    (("client-id", None), ("user", None)),
    (("user", None),),
    (("client-id", "c"),),
    (("client-id", None),),
]


def limits(*entities: QuotaEntity) -> Limits[list[int]]:
    """Each has its place in the ladder, from 1 on, as its limit."""
    made: Limits[list[int]] = Limits(KEY, list)
    made.follow({one: {KEY: float(LADDER.index(one) + 1)} for one in entities})
    return made


@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_the_most_specific_quota_holds(rung: int) -> None:
    assert limits(*LADDER[rung:]).limit("u", "c") == rung + 1
    assert limits(*LADDER[rung:][::-1]).limit("u", "c") == rung + 1


def test_nobody_else_is_limited() -> None:
    mine = limits(LADDER[0], LADDER[2], LADDER[6])
    assert mine.limit("v", "d") is None
    assert mine.meter("v", "d") is None
    assert mine.limit("v", "c") == 7
    assert mine.limit("u", "d") == 3


def test_a_client_without_an_id_has_its_users_quotas_only() -> None:
    assert limits(LADDER[1], LADDER[7]).limit("u", "") is None
    assert limits(*LADDER).limit("u", "") == 3


def test_what_is_not_above_zero_limits_nobody() -> None:
    made: Limits[list[int]] = Limits(KEY, list)
    quotas = {LADDER[0]: {KEY: 0.0}, LADDER[2]: {KEY: float("nan")}, LADDER[7]: {"other": 1.0}}
    assert not made.follow(quotas)
    assert made.limit("u", "c") is None


@pytest.mark.parametrize(
    ("rung", "shared_by_clients", "shared_by_users"),
    [(1, False, False), (2, True, False), (4, False, False), (5, True, False), (7, False, True)],
)
def test_who_shares_a_meter(rung: int, shared_by_clients: bool, shared_by_users: bool) -> None:
    made = limits(LADDER[rung])

    def meter(user: str, client: str) -> int | None:
        found = made.meter(user, client)
        return None if found is None else id(found[0])

    assert meter("u", "c") == meter("u", "c")
    assert (meter("u", "c") == meter("u", "d")) is shared_by_clients
    if rung > 2:
        assert (meter("u", "c") == meter("v", "c")) is shared_by_users


def test_a_changed_limit_keeps_what_was_used() -> None:
    made = limits(LADDER[7])
    found = made.meter("u", "c")
    assert found is not None
    made.follow({LADDER[7]: {KEY: 99.0}})
    again = made.meter("u", "c")
    assert again is not None
    assert again[0] is found[0]
    assert again[1] == 99.0


def test_invented_clients_do_not_fill_the_memory() -> None:
    made = limits(LADDER[7])
    first = made.meter("u", "0")
    assert first is not None
    for number in range(QUOTA_METERS_MAX + 5):
        made.meter("u", str(number))
    made.check_invariants()
    again = made.meter("u", "0")
    assert again is not None
    assert again[0] is not first[0], "the longest unseen is forgotten"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("localhost", None),
        ("10.1.2", None),
    ],
)
def test_addresses_are_told_as_sockets_tell_them(text: str, address: str | None) -> None:
    assert canonical_address(text) == address


def test_connections_from_one_address_are_held_and_others_are_not() -> None:
    quotas = {
        (("ip", "10.0.0.1"),): {"connection_creation_rate": 2.0},
        (("ip", None),): {"connection_creation_rate": 100.0},
        (("user", None),): {"connection_creation_rate": 1.0},
    }
    accepts = Accepts(WINDOWS)
    assert accepts.hold_ms(0, "10.0.0.1") == 0
    accepts.follow(accept_rates(quotas))
    held_ms = [accepts.hold_ms(0, "10.0.0.1") for _ in range(22)]
    assert held_ms == [0] * 20 + [500, 500]
    assert accepts.hold_ms(0, "10.0.0.2") == 0
    assert accepts.hold_ms(499, "10.0.0.1") == 1
    assert [accepts.hold_ms(500, "10.0.0.1") for _ in range(2)] == [0, 500]
    assert accepts.hold_ms(11_000, "10.0.0.1") == 0
    accepts.follow({})
    assert accepts.hold_ms(0, "10.0.0.1") == 0


def test_new_connections_in_all_wait_for_their_rate() -> None:
    accepts = Accepts(WINDOWS)
    waits_ms = []
    for _ in range(22):
        waits_ms.append(accepts.pause_ms(0, 2))
        accepts.taken(0)
    assert waits_ms == [0] * 20 + [500, 1000]  # never longer than a window
    assert accepts.pause_ms(0, INT_MAX) == 0
    assert accepts.pause_ms(0, 0) == accepts.pause_ms(0, 1) == 1000
    assert accepts.pause_ms(12_000, 2) == 0
