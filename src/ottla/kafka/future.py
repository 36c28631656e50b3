"""A future in kafka-python's form, for what is not a record: an asynchronous commit."""

from typing import TypeAlias

from ottla.kafka.arguments import Callback
from ottla.kafka.loop import Logged

Told: TypeAlias = list[tuple[bool | None, Callback, tuple[object, ...], dict[str, object]]]


class Future:
    """Ends once, with a value or an exception. Callbacks run where it ends; what they raise is logged."""

    def __init__(self) -> None:
        self.is_done = False
        self.value: object = None
        self.exception: Exception | None = None
        self._told: Told = []

    def succeeded(self) -> bool:
        return self.is_done and self.exception is None

    def failed(self) -> bool:
        return self.is_done and self.exception is not None

    def retriable(self) -> bool:
        return bool(getattr(self.exception, "retriable", False))

    def success(self, value: object) -> "Future":
        self.value = value
        return self._end()

    def failure(self, e: Exception | type[Exception]) -> "Future":
        self.exception = e() if isinstance(e, type) else e
        return self._end()

    def add_callback(self, f: Callback, *args: object, **kwargs: object) -> "Future":
        """`f(*args, value, **kwargs)` if it succeeds."""
        return self._tell(True, f, args, kwargs)

    def add_errback(self, f: Callback, *args: object, **kwargs: object) -> "Future":
        """`f(*args, exception, **kwargs)` if it fails."""
        return self._tell(False, f, args, kwargs)

    def add_both(self, f: Callback, *args: object, **kwargs: object) -> "Future":
        return self._tell(None, f, args, kwargs)

    def chain(self, future: "Future") -> "Future":
        """`future` ends as this one does."""
        self.add_callback(future.success)
        return self.add_errback(future.failure)

    def _tell(
        self,
        wanted: bool | None,
        f: Callback,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> "Future":
        self._told.append((wanted, f, args, kwargs))
        return self._end() if self.is_done else self

    def _end(self) -> "Future":
        self.is_done = True
        told, self._told = self._told, []
        came_to = self.value if self.exception is None else self.exception
        for wanted, f, args, kwargs in told:
            if wanted is None or wanted is (self.exception is None):
                with Logged("callback of a future"):
                    f(*args, came_to, **kwargs)
        return self
