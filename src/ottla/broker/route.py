"""Which handler answers which request, and what everybody else is told.

Promises: a handler sees only versions that are advertised for it. A request that nobody here
answers gets UNSUPPORTED_VERSION where its response can say so, else its connection is closed with
one WARNING, as Apache Kafka does. An unknown version of ApiVersions is always answered (KIP-511).

Source: KIP-35, KIP-511. Elsewhere: the facts of each API, see `wire/api.py`.
"""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, final

from ottla.core.effect import Close, Effect, Reply
from ottla.errors import ErrorCode
from ottla.wire.api import API_VERSIONS, APIS, Message
from ottla.wire.server import Call

M = TypeVar("M", bound=Message)


@final
class Route(Generic[M]):
    """An API this node answers, and the versions it advertises (lowest and highest, inclusive)."""

    __slots__ = ("_handle", "_request_type", "api_key", "version_max", "version_min")

    def __init__(
        self,
        api_key: int,
        versions: tuple[int, int],
        request_type: type[M],
        handle: Callable[[int, Call, M], list[Effect]],
    ) -> None:
        self.api_key = api_key
        self.version_min, self.version_max = versions
        self._request_type = request_type
        self._handle = handle
        api = APIS[api_key]
        assert api.advertised_min <= self.version_min <= self.version_max <= api.advertised_max

    def answer(self, now_ms: int, call: Call, message: Message) -> list[Effect]:
        assert isinstance(message, self._request_type)
        return self._handle(now_ms, call, message)


class AnyRoute(Protocol):
    """A route, whatever its request."""

    api_key: int
    version_min: int
    version_max: int

    def answer(self, now_ms: int, call: Call, message: Message) -> list[Effect]: ...


@final
class Routes:
    """API key -> route. `unknown_version` answers an ApiVersions that nobody here can read."""

    __slots__ = ("_routes", "_unknown_version")

    def __init__(
        self,
        routes: Iterable[AnyRoute],
        unknown_version: Callable[[int, Call, None], list[Effect]],
    ) -> None:
        self._routes = {route.api_key: route for route in routes}
        self._unknown_version = unknown_version

    def advertised(self) -> dict[int, tuple[int, int]]:
        """API key -> (lowest, highest version), as ApiVersions tells it."""
        return {
            key: (route.version_min, route.version_max)
            for key, route in sorted(self._routes.items())
        }

    def handle(self, now_ms: int, call: Call, message: Message | None) -> list[Effect]:
        route = self._routes.get(call.api_key)
        if message is None:
            if call.api_key == API_VERSIONS:
                return self._unknown_version(now_ms, call, None)
        elif route is not None and route.version_min <= call.version <= route.version_max:
            return route.answer(now_ms, call, message)
        return _refuse(call, route)


def _refuse(call: Call, route: AnyRoute | None) -> list[Effect]:
    api = APIS[call.api_key]
    if api.knows(call.version):
        response = api.refusal(ErrorCode.UNSUPPORTED_VERSION, call.version)
        if response is not None:
            return [Reply(call, response)]
    if route is None:
        reason = f"{api.name} is not served here"
    else:
        reason = f"{api.name} is served in versions {route.version_min} to {route.version_max}"
    return [
        Close(
            call.origin.connection_id,
            f"{api.name} version {call.version} from client {call.client_id!r}: {reason}",
        )
    ]
