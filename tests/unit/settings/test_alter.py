"""What an operation makes of a list, and what may be set together."""

import pytest

from ottla.errors import ErrorCode
from ottla.settings.alter import Operation, changed_list, check_broker, check_group
from ottla.settings.describe import BrokerLayers
from ottla.settings.parse import Resolved


@pytest.mark.parametrize(
    ("old", "operation", "text", "new"),
    [
        ("", Operation.APPEND, "a", "a"),
        ("a,b", Operation.APPEND, "b,c", "a,b,c"),
        ("a,b", Operation.SUBTRACT, "b", "a"),
        ("a,b,a", Operation.SUBTRACT, "a", "b,a"),
        ("a,b", Operation.SUBTRACT, "c", "a,b"),
        ("a,,b", Operation.SUBTRACT, "a,b", ""),
    ],
)
def test_lists(old: str, operation: Operation, text: str, new: str) -> None:
    assert changed_list(old, operation, text) == new


def test_long_lists_take_no_longer_than_their_length() -> None:
    # Were every part looked for in the list, this would be two hundred million comparisons.
    old = ",".join(f"{number:x}" for number in range(7_000))
    new = ",".join(f"{number:x}" for number in range(7_000, 14_000))
    both = changed_list(old, Operation.APPEND, new)
    assert both == f"{old},{new}"
    assert changed_list(both, Operation.SUBTRACT, old) == new


def test_a_broker_is_checked_with_what_its_operator_gave() -> None:
    layers = BrokerLayers({"log.retention.hours": Resolved("24")})
    assert check_broker({"log.retention.ms": "5000"}, layers, for_all=False) is None
    problem = check_broker({"log.retention.hours": "5"}, layers, for_all=False)
    assert problem is not None
    assert problem.error is ErrorCode.INVALID_REQUEST


def test_a_session_outlives_its_heartbeats() -> None:
    layers = BrokerLayers({"group.consumer.max.heartbeat.interval.ms": Resolved("90000")})
    both = {"consumer.session.timeout.ms": "45000", "consumer.heartbeat.interval.ms": "45000"}
    problem = check_group(both, layers)
    assert problem is not None
    assert "consumer.heartbeat.interval.ms=45000" in problem.message
    assert check_group({**both, "consumer.session.timeout.ms": "50000"}, layers) is None
