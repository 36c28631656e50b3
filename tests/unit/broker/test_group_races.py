"""Members that come, go, wait, vanish and are fenced in any order: what must hold whatever happens."""

from random import Random

import pytest

from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from tests.unit.broker.group_house import Member, coordinated, described
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

STEPS = 120
FINE = (0, ErrorCode.REBALANCE_IN_PROGRESS)


class Client(Member):
    """A member that does what a client library does with every answer, one call at a time."""

    def __init__(self, node: WholeNode, instance: str | None) -> None:
        super().__init__(node, instance=instance, session_ms=10_000, rebalance_ms=20_000)
        self.doing = ""
        self.owned: bytes | None = None

    def act(self) -> None:
        """The next call, once the last one is answered."""
        if self.doing == "join":
            if self.error is None:
                return
            self._joined_or_not(self.error)
        elif self.doing == "sync":
            answer = self.sync_answer()
            if answer is None:
                return
            self.doing = "beat" if answer.error_code == 0 else ""
            self.owned = answer.assignment if answer.error_code == 0 else None
            self._note(answer.error_code)
        elif self.doing == "beat":
            error = self.heartbeat()
            if error:
                self.doing, self.owned = "", None
                self._note(error)
        else:
            self.doing, self.owned = "join", None
            self.join()

    def _joined_or_not(self, error: int) -> None:
        self.doing = "sync" if error == 0 else ""
        if error == 0:
            self.joined()
            self.sync()
        else:
            self._note(error)

    def _note(self, error: int) -> None:
        if error not in (*FINE, ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS):
            self.member_id, self.generation = "", -1

    @property
    def is_parked(self) -> bool:
        if self.doing == "join":
            return self.error is None
        return self.doing == "sync" and self.sync_answer() is None


@pytest.mark.parametrize("seed", range(25))
def test_whatever_members_do(seed: int) -> None:
    random = Random(seed)
    node = WholeNode(MemoryDisk(NOW_MS), "offsets.topic.num.partitions=1", "group.max.size=4")
    coordinated(node)
    clients: list[Client] = []
    for _ in range(STEPS):
        choice = random.random()
        if choice < 0.10 or not clients:
            instance = random.choice((None, None, "i", "j"))
            clients.append(Client(node, instance))
        elif choice < 0.14:
            gone = clients.pop(random.randrange(len(clients)))  # without a word
            gone.peer.disconnect()
        elif choice < 0.18:
            leaver = clients.pop(random.randrange(len(clients)))
            if not leaver.is_parked and leaver.member_id:
                leaver.leave()
            leaver.peer.disconnect()
        elif choice < 0.30:
            node.pass_time(random.choice((1, 100, 3_000, 9_000)))
        elif choice < 0.32:
            node = restarted(node, clients)
        else:
            random.choice(clients).act()
        node.node.groups.check_invariants()
        no_two_own_the_same(node, clients)
    settle(node, clients)


def restarted(node: WholeNode, clients: list[Client]) -> WholeNode:
    """The broker is killed; the clients come back with what they know."""
    again = WholeNode(
        node.disk.copy(), "group.max.size=4", shutdown=Shutdown.KILLED, now_ms=node.now_ms
    )
    for client in clients:
        client.node, client.peer = again, again.connect()
        if client.doing in ("join", "sync"):
            client.doing = ""
    return again


def no_two_own_the_same(node: WholeNode, clients: list[Client]) -> None:
    """Among those that are members. A static one that was fenced has not yet heard of it."""
    members = {one.member_id for one in described(node.connect()).members}
    owned = [
        (one.generation, one.owned) for one in clients if one.owned and one.member_id in members
    ]
    assert len(set(owned)) == len(owned)


def settle(node: WholeNode, clients: list[Client]) -> None:
    """Left alone, those that fit in come to an agreement, and no call stays parked."""
    del clients[4:]
    for one, name in zip(clients, "abcd", strict=False):
        if one.instance is not None:
            one.instance, one.member_id, one.doing = name, "", ""
            one.peer = node.connect()
    for _ in range(80):
        for client in clients:
            client.act()
        node.pass_time(2_000)
    assert not any(one.is_parked for one in clients)
    group = described(node.connect())
    assert group.group_state == "Stable"
    assert {one.generation for one in clients} == {clients[0].generation}
    assert [one.heartbeat() for one in clients] == [0] * len(clients)
    assert sorted(one.member_id for one in group.members) == sorted(
        one.member_id for one in clients
    )
