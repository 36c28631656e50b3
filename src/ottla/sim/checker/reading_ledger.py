"""What applications were handed by the product's own consumer, put beside what was served and assigned.

Elsewhere: what must hold of it, `delivered.py` and `covered.py`.
"""

from typing import NamedTuple, TypeAlias, final

from ottla.sim.checker.kept import thinned
from ottla.sim.checker.ledger import Ledger, Sight, Story
from ottla.sim.group_operation import Committing, Joining, Place, Syncing
from ottla.sim.history import Delivery, Following, Outcome, Record

Names: TypeAlias = tuple[str, int]


class Seen(NamedTuple):
    """A record as it was served to somebody."""

    story: Story
    sight: Sight
    record: Record


@final
class ReadingLedger:
    """`thinned`: partitions from which records may go, unasked or asked; `damaged`: or be unreadable."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.deliveries: dict[Following, list[Delivery]] = {}
        self.joins: dict[int, list[Joining]] = {}
        self.syncs: dict[int, list[Syncing]] = {}
        self.commits: list[Committing] = []
        self.committers: dict[str, set[int]] = {}
        self.stories: dict[Names, list[Story]] = {}
        self._seen: dict[bytes, list[Seen]] = {}
        for entry in ledger.history.entries:
            match entry:
                case Following():
                    self.deliveries[entry] = []
                case Delivery():
                    self.deliveries[entry.following].append(entry)
                case _:
                    pass
        if not self.deliveries:
            return
        readers = {one.client for one in self.deliveries}
        for entry in ledger.history.entries:
            match entry:
                case Joining() if entry.client in readers:
                    self.joins.setdefault(entry.client, []).append(entry)
                case Syncing() if entry.client in readers and entry.outcome is Outcome.OK:
                    self.syncs.setdefault(entry.client, []).append(entry)
                case Committing():
                    self.committers.setdefault(entry.group, set()).add(entry.client)
                    if entry.client in readers:
                        self.commits.append(entry)
                case _:
                    pass
        self.thinned = thinned(ledger)
        for story in ledger.stories.values():
            name, _, number = story.name.rpartition("-")
            self.stories.setdefault((name, int(number)), []).append(story)
            for sight in story.sights:
                for record in sight.batch.records:
                    self._seen.setdefault(record.value, []).append(Seen(story, sight, record))

    def is_ambiguous(self, topic: str) -> bool:
        """Several topics may have had that name."""
        return len(self.ledger.ids_of(topic)) != 1

    def is_struck(self, place: Place) -> bool:
        return place in self.ledger.flipped

    def seen(self, place: Names, record: Record) -> Seen | None:
        """That record as it was served there."""
        for one in self._seen.get(record.value, ()):
            if one.record.offset == record.offset and one.story in self.stories.get(place, ()):
                return one
        return None

    def in_between(self, story: Story, since: int, until: int) -> list[Seen]:
        """What was ever served of [since, until)."""
        return [
            Seen(story, sight, record)
            for sight in story.sights_of(since, until - 1)
            for record in sight.batch.records
            if since <= record.offset < until
        ]
