"""Keeps a client's picture of the cluster fresh: by age, when an answer shows it wrong, when asked.

All who find it stale are served by one question, and questions keep the backoff's distance, so that a
thousand failed requests ask once. A broker may send the client back to where it came from
(KIP-1102): then everything is forgotten and begins with the bootstrap addresses.

Elsewhere: how pictures are put together, `client/metadata.py`; whom to ask, `client.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, final

from ottla.aio.errands import Errands
from ottla.client.metadata import (
    NOTHING_KNOWN,
    Address,
    ClusterView,
    LeaderHint,
    cluster_untrusted,
    updated,
    with_leaders,
)
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, ErrorCode, OttlaError
from ottla.wire.api import Message
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse

Ask: TypeAlias = Callable[[Message], Awaitable[tuple[Message, int]]]
Listener: TypeAlias = Callable[[ClusterView], None]

_EPOCHS_SINCE: Final = 9
"""The Metadata version from which leader epochs may be relied on (KAFKA-9212)."""
_SENDS_ELSEWHERE_MAX: Final = 3


@final
class Picture:
    """`ask` sends a Metadata request to any broker; `rebootstrap` closes all connections; `pause`
    waits as long as after so many failures."""

    def __init__(
        self,
        options: ConnectionOptions,
        ask: Ask,
        rebootstrap: Callable[[], None],
        pause: Callable[[int], Awaitable[None]],
    ) -> None:
        self._options = options
        self._ask = ask
        self._rebootstrap = rebootstrap
        self._pause = pause
        self.view: ClusterView = NOTHING_KNOWN
        self.topics: set[str] = set()
        self._want_all: set[object] = set()
        self.trouble: OttlaError | None = None
        self._listeners: list[Listener] = []
        self._is_distrusted = False
        self._stale = asyncio.Event()
        self._waiting: list[asyncio.Future[ClusterView]] = []
        self._errands = Errands(self._settle)
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._keeping is None:
            self._keeping = self._errands.begin(self._keep())

    async def stop(self) -> None:
        self._keeping = None
        await self._errands.close()
        self._settle(OttlaError("this client is closed"))

    def want_all(self, who: object, wanted: bool) -> None:
        """Not only `topics`, as long as anybody wants that."""
        (self._want_all.add if wanted else self._want_all.discard)(who)

    def mark_stale(self) -> None:
        self._stale.set()

    async def fresh(self) -> ClusterView:
        """The next picture. Raises what keeps it from coming."""
        assert self._keeping is not None, "start first"
        waiting: asyncio.Future[ClusterView] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._stale.set()
        return await waiting

    async def refresh(
        self, topics: Sequence[str] | None, *, create_missing: bool = False
    ) -> ClusterView:
        """`view` is new and knows these topics; None: all there are."""
        asked = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
        for _ in range(_SENDS_ELSEWHERE_MAX):
            request = MetadataRequest(topics=asked, allow_auto_topic_creation=create_missing)
            response, version = await self._ask(request)
            assert isinstance(response, MetadataResponse)
            if response.error_code == ErrorCode.REBOOTSTRAP_REQUIRED:
                self.view = NOTHING_KNOWN
                self._rebootstrap()
                continue
            if response.error_code != ErrorCode.NONE:
                raise ApiError(response.error_code, "the brokers do not describe the cluster")
            said = cluster_untrusted(response, has_epochs=version >= _EPOCHS_SINCE)
            known = NOTHING_KNOWN if self._is_distrusted else self.view
            self._is_distrusted = False
            self._show(updated(known, said, is_whole=topics is None))
            return self.view
        raise ApiError(ErrorCode.REBOOTSTRAP_REQUIRED, "every broker sends this client elsewhere")

    def learn(self, hints: Iterable[LeaderHint], addresses: Mapping[int, Address]) -> None:
        view = with_leaders(self.view, hints, addresses)
        if view is not self.view:
            self._show(view)

    def distrust(self) -> None:
        """The next answer is believed whole, whatever was known before (KIP-899)."""
        self._is_distrusted = True
        self._stale.set()

    def on_change(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _show(self, view: ClusterView) -> None:
        self.view = view
        for listener in list(self._listeners):
            listener(view)

    async def _keep(self) -> None:
        failures = 0
        while True:
            if not failures:
                await self._stale_or_old()
            # What is marked from here on is a new wish: the question may have left already.
            self._stale.clear()
            waiting, self._waiting = self._waiting, []
            try:
                view = await self.refresh(None if self._want_all else sorted(self.topics))
            except OttlaError as error:
                self.trouble = error
                failures += 1
                for one in waiting:
                    if not one.done():
                        one.set_exception(error)
            else:
                self.trouble = None
                failures = 0
                for one in waiting:
                    if not one.done():
                        one.set_result(view)
            await self._pause(max(1, failures))

    async def _stale_or_old(self) -> None:
        try:
            async with asyncio.timeout(self._options.metadata_age_ms_max / 1000):
                await self._stale.wait()
        except TimeoutError:
            pass

    def _settle(self, error: OttlaError) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_exception(error)
