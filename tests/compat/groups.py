"""The capabilities of groups: members share a topic's partitions, none of its records lost or doubled.

A member here is a consumer that commits whatever it read before it says so; so what two of them say
together must be every record, once. Members of one check are of one client,
but for the mixed group. Whoever comes or goes does so while records are being written.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from checks import Check, World, Wrong
from clients import Client
from driver import Cannot, Driver
from records import record

PARTITIONS: Final = 6
SETTLED_SECONDS_MAX: Final = 40.0
POLL_SECONDS: Final = 0.1
LOAD_RECORDS: Final = 300
LOAD_PAUSE_SECONDS: Final = 0.05


class Group:
    """Members of one group that reads one topic, and everything they said they got."""

    def __init__(
        self, name: str, drivers: list[Driver], world: World, strategy: str = "range"
    ) -> None:
        """The members are of these clients in turn."""
        self.name = name
        self._drivers = drivers
        self._driver_of: dict[str, Driver] = {}
        self._world = world
        self._strategy = strategy
        self._there: list[str] = []
        self._records: list[tuple[int, int]] = []  # of members that left
        self._written = 0
        world.create(name, partitions=PARTITIONS)

    @property
    def written(self) -> int:
        return self._written

    def join(self, member: str, instance: str | None = None) -> None:
        driver = self._drivers[len(self._driver_of) % len(self._drivers)]
        self._driver_of[member] = driver
        driver.ask(
            "join",
            member=f"{self.name}/{member}",
            group=self.name,
            topic=self.name,
            strategy=self._strategy,
            instance=instance,
        )
        self._there.append(member)

    def leave(self, member: str) -> None:
        # Under load it reads until it is gone.
        gone = self._driver_of[member].ask("leave", member=f"{self.name}/{member}")
        self._records += [(part, offset) for part, offset in gone["records"]]
        self._there.remove(member)

    def leave_all(self) -> None:
        for member in list(self._there):
            self.leave(member)

    def given(self, member: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._driver_of[member].ask(
            "given", member=f"{self.name}/{member}"
        )
        return answer

    def _pairs(self, member: str) -> list[tuple[int, int]]:
        return [(part, offset) for part, offset in self.given(member)["records"]]

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Records are being written all the time, by a client of its own."""
        enough = threading.Event()
        trouble: list[Exception] = []

        def load() -> None:
            try:
                while not enough.wait(LOAD_PAUSE_SECONDS):
                    self.write(LOAD_RECORDS, self._world.writer)
            except Exception as error:  # noqa: BLE001 - raised where the load was asked for
                trouble.append(error)

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()
        if trouble:
            raise trouble[0]

    def write(self, count: int, writer: Driver | None = None) -> None:
        records = [record(b"x", partition=number % PARTITIONS) for number in range(count)]
        driver = writer or self._world.reference
        driver.ask("produce", topic=self.name, codec="none", records=records)
        self._written += count

    def settle(self) -> None:
        """Wait until the members share all partitions evenly, and nobody has another's."""
        share = PARTITIONS // len(self._there)
        parts: list[list[int]] = []

        def shared() -> bool:
            nonlocal parts
            parts = [self.given(member)["partitions"] for member in self._there]
            everyone = sorted(one for part in parts for one in part)
            return everyone == list(range(PARTITIONS)) and all(len(p) == share for p in parts)

        _wait(shared, lambda: f"{len(self._there)} members have partitions {parts}")

    def everything_once(self) -> None:
        """Wait until all that was written was read, and see that nothing was read twice."""

        def seen() -> Counter[tuple[int, int]]:
            pairs = [pair for member in self._there for pair in self._pairs(member)]
            return Counter([*self._records, *pairs])

        _wait(
            lambda: len(seen()) >= self._written,
            lambda: f"{len(seen())} of {self._written} records came",
        )
        doubled = [pair for pair, times in seen().items() if times > 1]
        if doubled:
            raise Wrong(f"{len(doubled)} records came twice, the first at {min(doubled)}")


def _wait(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + SETTLED_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise Wrong(f"after {SETTLED_SECONDS_MAX:.0f} s {what()}")
        time.sleep(POLL_SECONDS)


def three(
    name: str,
    drivers: list[Driver],
    world: World,
    strategy: str = "range",
    *,
    goes_under_load: bool = True,
) -> str:
    """Three come under load, one goes, and the others take over; the note says how much load."""
    group = Group(name, drivers, world, strategy)
    try:
        with group.under_load():
            for member in ("a", "b", "c"):
                group.join(member)
            group.settle()
            if goes_under_load:
                group.leave("b")
                group.settle()
        group.everything_once()
        if not goes_under_load:
            group.leave("b")
            group.settle()
        group.write(60)
        group.everything_once()
        return f"{group.written:,} records"
    finally:
        group.leave_all()


def group_of_three(client: Client, driver: Driver, world: World) -> str | None:
    by_hand = not client.commits_by_itself
    return three(f"group-{client.name}", [driver], world, goes_under_load=by_hand)


def cooperative(client: Client, driver: Driver, world: World) -> str | None:
    return three(f"cooperative-{client.name}", [driver], world, "cooperative-sticky")


def commit_and_resume(client: Client, driver: Driver, world: World) -> str | None:
    group = Group(f"resume-{client.name}", [driver], world)
    try:
        for member in ("first", "second"):
            group.write(60)
            group.join(member)
            group.settle()
            group.everything_once()
            group.leave(member)
    finally:
        group.leave_all()
    return None


def restarts(client: Client, driver: Driver, world: World) -> str | None:
    """A member reads on when its broker comes back, and its commits are where they were."""
    if world.restart is None:
        raise Cannot("somebody else's broker is not restarted here")
    if client.ends_with_broker:
        raise Cannot("ends when no broker is left")
    group = Group(f"restarts-{client.name}", [driver], world)
    try:
        group.join("first")
        group.write(60)
        group.everything_once()
        for kill in (False, True):
            world.restart(kill)
            group.write(60)
            group.everything_once()
        group.leave("first")
        world.restart(False)
        group.write(60)
        group.join("second")
        group.everything_once()
        world.restart(True)
        group.write(60)
        group.everything_once()
    finally:
        group.leave_all()
    return None


def static_member(client: Client, driver: Driver, world: World) -> str | None:
    """One of two goes and comes back under its name: the other one is not disturbed."""
    group = Group(f"static-{client.name}", [driver], world)
    try:
        for member in ("a", "b"):
            group.join(member, instance=member)
        group.settle()
        group.write(60)
        group.everything_once()
        undisturbed, kept = group.given("a")["rebalances"], group.given("b")["partitions"]
        group.leave("b")
        group.write(60)
        group.join("b", instance="b")
        group.settle()
        group.everything_once()
        if group.given("b")["partitions"] != kept:
            raise Wrong(f"came back to {group.given('b')['partitions']}, not {kept}")
        if group.given("a")["rebalances"] != undisturbed:
            raise Wrong("the other member had to join again")
    finally:
        group.leave_all()
    return None


def mixed(drivers: list[Driver], world: World, strategy: str) -> str | None:
    """One group whose members are of different clients, which share an assignor."""
    names = "-".join(driver.name for driver in drivers)
    note = three(f"mixed-{strategy}-{names}", drivers, world, strategy)
    return f"{', '.join(driver.name for driver in drivers)}: {note}"


# Of the capabilities, those that a group of several clients is checked in.
STRATEGIES: Final = {"group of 3": "range", "cooperative": "cooperative-sticky"}

CAPABILITIES: Final[dict[str, Check]] = {
    "group of 3": group_of_three,
    "resume": commit_and_resume,
    "restarts": restarts,
    "static": static_member,
    "cooperative": cooperative,
}
