"""What a coordinator's machine decides: entries for its log, and answers that wait for them.

An answer is made together with the entries and given when they are committed, so that nobody is told
what a crash can still take away; an answer without entries waits for what it saw to be committed. If
the shard is lost first, the same answer tells the error instead.

A parked call is an `Asked`: it knows how to tell an outcome of its kind, and how an error looks.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, final

from ottla.core.effect import Effect, Reply
from ottla.errors import ErrorCode
from ottla.wire.api import Message
from ottla.wire.server import Call

T = TypeVar("T")


class Entry(Protocol):
    """One change of a machine's hard state, as its log keeps it."""

    def record(self) -> tuple[bytes, bytes | None]:
        """Key and value."""


class Answer(Protocol):
    """What one call is told, be it given or refused: exactly one of the two, once."""

    def given(self) -> list[Effect]:
        """What was decided stands."""

    def refused(self, error: ErrorCode) -> list[Effect]:
        """It does not, or nobody knows."""


@final
class Asked(Generic[T]):
    """A call that wants an outcome of type `T`."""

    __slots__ = ("_fail", "_tell")

    def __init__(self, tell: Callable[[T], list[Effect]], fail: Callable[[ErrorCode], T]) -> None:
        """`fail`: the outcome that says an error."""
        self._tell = tell
        self._fail = fail

    def answer(self, outcome: T) -> Answer:
        return _Owed(self._tell, self._fail, outcome)

    def refuse(self, error: ErrorCode) -> list[Effect]:
        return self._tell(self._fail(error))


@final
class _Owed(Generic[T]):
    __slots__ = ("_fail", "_outcome", "_tell")

    def __init__(
        self, tell: Callable[[T], list[Effect]], fail: Callable[[ErrorCode], T], outcome: T
    ) -> None:
        self._tell = tell
        self._fail = fail
        self._outcome = outcome

    def given(self) -> list[Effect]:
        return self._tell(self._outcome)

    def refused(self, error: ErrorCode) -> list[Effect]:
        return self._tell(self._fail(error))


def asked(call: Call, render: Callable[[T], Message], fail: Callable[[ErrorCode], T]) -> Asked[T]:
    """A call that is answered by one outcome, rendered as its response."""
    return Asked(lambda outcome: [Reply(call, render(outcome))], fail)


@final
class Gathering(Generic[T]):
    """A call whose answer has parts from several shards; the last one to come completes it."""

    __slots__ = ("_call", "_missing", "_parts", "_render")

    def __init__(self, call: Call, count: int, render: Callable[[list[T]], Message]) -> None:
        """`render` gets the parts in the order of their numbers, 0 to `count` - 1."""
        self._call = call
        self._missing = count
        self._parts: dict[int, T] = {}
        self._render = render

    def part(self, number: int, fail: Callable[[ErrorCode], T]) -> Asked[T]:
        def tell(outcome: T) -> list[Effect]:
            assert number not in self._parts
            self._parts[number] = outcome
            self._missing -= 1
            return [] if self._missing else self.complete()

        return Asked(tell, fail)

    def complete(self) -> list[Effect]:
        """The reply. To be called by others only when there are no parts at all."""
        parts = [self._parts[number] for number in sorted(self._parts)]
        return [Reply(self._call, self._render(parts))]


@final
class Decision:
    """Entries to append, and the answers that are due once they are committed.

    `divisible`: the entries may be written as several batches. `otherwise`: what is decided instead
    when the entries are more than one batch may hold; the answers are refused then.
    """

    __slots__ = ("answers", "divisible", "entries", "otherwise")

    def __init__(
        self,
        answers: list[Answer] | None = None,
        entries: list[Entry] | None = None,
        *,
        divisible: bool = False,
    ) -> None:
        self.answers: list[Answer] = [] if answers is None else answers
        self.entries: list[Entry] = [] if entries is None else entries
        self.divisible = divisible
        self.otherwise: Callable[[int], Decision] | None = None
