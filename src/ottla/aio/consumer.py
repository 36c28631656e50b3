"""Reads assigned partitions of one topic: finds where to begin, then hands records out as they come.

One request per leader is under way at any time; whichever answers first is handed out first, so a
quiet leader holds nobody up. A cluster that goes away is looked for again, with one word about it.

Elsewhere: positions and what an answer means, `client/fetcher.py`. Groups are not there yet.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from ottla.aio.client import (
    REQUEST_MS_MAX,
    AdvertisedUnreachable,
    Client,
    ConnectionLost,
    Unreachable,
)
from ottla.client.fetcher import Fetch, Fetched, Fetcher
from ottla.client.lookup import EARLIEST, LATEST, NO_OFFSET, Lookup, found_untrusted, lookups
from ottla.errors import (
    RETRIABLE,
    ApiError,
    ErrorCode,
    LocalProtocolError,
    OttlaError,
    RemoteProtocolError,
)
from ottla.wire.api import FETCH, LIST_OFFSETS
from ottla.wire.client import CORRELATION_ID_MAX
from ottla.wire.message.fetch import FetchResponse
from ottla.wire.message.list_offsets import ListOffsetsResponse

_UNKNOWN_MS_MAX: Final = 1_000
"""A topic created a moment ago may not have reached every broker."""
_TROUBLE_MS_MAX: Final = 30_000
_ADVERTISED_ATTEMPTS_MAX: Final = 3
_NAMED_TOPIC_MAX: Final = 12
"""The last Fetch version that names topics: from 13 on they have ids (KIP-516)."""

Away = Unreachable | ConnectionLost | RemoteProtocolError
Exchanged = tuple[Fetch, FetchResponse | Away | ApiError | LocalProtocolError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where to begin: at `offset`, or where `timestamp_ms` (or EARLIEST, LATEST) says."""

    offset: int | None = None
    timestamp_ms: int = LATEST


@final
class Consumer:
    """`on_trouble` is told, once per outage, why nothing comes at the moment."""

    def __init__(
        self, client: Client, topic: str, *, on_trouble: Callable[[str], None] = lambda _: None
    ) -> None:
        self._client = client
        self._topic = topic
        self._on_trouble = on_trouble
        self._start = Start()
        self._fetcher = Fetcher(topic, {})
        self._failures = 0
        self._advertised_failures = 0
        self._trouble_since: float | None = None
        self._trouble = ""

    async def start(self, start: Start, partitions: Sequence[int] | None = None) -> None:
        """The topic is there and the first offsets are known. `partitions` None: all.

        Raises ApiError if there is no such topic, LocalProtocolError for partitions it lacks.
        """
        view = await self._client.wait_for_topic(
            self._topic, create_missing=False, unknown_ms_max=_UNKNOWN_MS_MAX
        )
        count = len(view.partitions)
        assigned = list(range(count)) if partitions is None else list(partitions)
        for partition in assigned:
            if not 0 <= partition < count:
                raise LocalProtocolError(
                    f"topic '{self._topic}' has {count} partitions, 0 to {count - 1}; there is no "
                    f"partition {partition}"
                )
        self._start = start
        positions: Mapping[int, int]
        if start.offset is not None:
            positions = dict.fromkeys(assigned, start.offset)
        else:
            positions = await self._first_offsets(assigned, start.timestamp_ms)
        self._fetcher = Fetcher(self._topic, positions)

    async def run(
        self,
        deliver: Callable[[list[Fetched]], bool],
        *,
        idle_ms_max: int | None = None,
        until_end: bool = False,
    ) -> None:
        """Hand records out until `deliver` says that it is enough, or an end is reached.

        `idle_ms_max`: nothing came for so long. `until_end`: everything there was is handed out.
        """
        under_way: dict[asyncio.Task[Exchanged], int] = {}
        failure: OttlaError | None = None
        async with asyncio.TaskGroup() as tasks:
            try:
                await self._run(tasks, under_way, deliver, idle_ms_max, until_end)
            except OttlaError as error:
                # Raised in here it would arrive as a group of one.
                failure = error
            finally:
                for task in under_way:
                    task.cancel()
        if failure is not None:
            raise failure

    async def _run(
        self,
        tasks: asyncio.TaskGroup,
        under_way: dict[asyncio.Task[Exchanged], int],
        deliver: Callable[[list[Fetched]], bool],
        idle_ms_max: int | None,
        until_end: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        idle_since = loop.time()
        while True:
            await self._settle()
            busy = frozenset(under_way.values())
            for fetch in self._fetcher.requests(self._client.cluster, busy):
                under_way[tasks.create_task(self._exchange(fetch))] = fetch.broker_id
            left_seconds = None
            if idle_ms_max is not None:
                left_seconds = max(0.0, idle_since + idle_ms_max / 1000 - loop.time())
            done = await _first_of(under_way, left_seconds)
            for task in done:
                del under_way[task]
                fetched = self._taken(task.result())
                if fetched:
                    idle_since = loop.time()
                    if deliver(fetched):
                        return
            if until_end and self._fetcher.all_ended:
                return
            if idle_ms_max is not None and not done and left_seconds == 0:
                return

    async def _exchange(self, fetch: Fetch) -> Exchanged:
        version_max = CORRELATION_ID_MAX if fetch.has_topic_id else _NAMED_TOPIC_MAX
        try:
            response = await self._client.ask(
                fetch.broker_id, FETCH, fetch.request, version_max=version_max
            )
        except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
            return fetch, error
        except (ApiError, LocalProtocolError) as error:
            return fetch, error
        assert isinstance(response, FetchResponse)
        return fetch, response

    def _taken(self, exchanged: Exchanged) -> list[Fetched]:
        """The records of one answer; a failure is noted, or raised if waiting would not mend it."""
        fetch, answer = exchanged
        if isinstance(answer, FetchResponse):
            fetched = self._fetcher.answered_untrusted(fetch, answer)
            for partition, code in self._fetcher.refused.items():
                raise ApiError(code, f"partition {self._topic}-{partition} cannot be read")
            if not self._fetcher.must_wait:
                self._failures = self._advertised_failures = 0
                self._trouble_since = None
            return fetched
        if isinstance(answer, ApiError | LocalProtocolError):
            raise answer
        if isinstance(answer, AdvertisedUnreachable):
            self._advertised_failures += 1
            if self._advertised_failures >= _ADVERTISED_ATTEMPTS_MAX:
                raise answer
        self._trouble = str(answer)
        self._fetcher.lost()
        return []

    async def _settle(self) -> None:
        """After a failure: wait, look at the cluster anew, and find lost positions again."""
        fetcher = self._fetcher
        if fetcher.must_wait:
            fetcher.must_wait = False
            self._failures += 1
            self._note_trouble()
            await self._client.pause(self._failures)
        if fetcher.must_refresh:
            try:
                cluster = await self._client.refresh([self._topic])
            except (Unreachable, ConnectionLost, RemoteProtocolError) as error:
                self._trouble = str(error)
                fetcher.lost()
                return
            fetcher.must_refresh = False
            code = cluster.obstacle(self._topic)
            if code not in RETRIABLE and code != ErrorCode.NONE:
                raise ApiError(code, f"topic '{self._topic}'")
            if code != ErrorCode.NONE:
                self._trouble = str(ApiError(code, f"topic '{self._topic}'"))
        if fetcher.out_of_range:
            await self._seek_again(sorted(fetcher.out_of_range))

    def _note_trouble(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._trouble_since is None:
            self._trouble_since = now
        elif self._failures == 2 and self._trouble:
            self._on_trouble(self._trouble)
        if (now - self._trouble_since) * 1000 >= _TROUBLE_MS_MAX:
            raise ConnectionLost(self._trouble or f"topic '{self._topic}' cannot be read")

    async def _seek_again(self, partitions: list[int]) -> None:
        """Partitions whose position is gone go on where the start rule says, if it can."""
        if self._start.offset is None:
            rule = LATEST if self._start.timestamp_ms == LATEST else EARLIEST
            for partition, offset in (await self._first_offsets(partitions, rule)).items():
                self._fetcher.seek(partition, offset)
            return
        first = await self._first_offsets(partitions, EARLIEST)
        end = await self._first_offsets(partitions, LATEST)
        partition = partitions[0]
        raise ApiError(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"partition {self._topic}-{partition} has offsets from {first[partition]} to below "
            f"{end[partition]}; {self._fetcher.position(partition)} was asked for. "
            "Ask for one of them, for earliest, or for latest",
        )

    async def _first_offsets(
        self, partitions: Sequence[int], timestamp_ms: int
    ) -> Mapping[int, int]:
        """By partition, the first offset at or after a time; the end if there is none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REQUEST_MS_MAX / 1000
        offsets: dict[int, int] = {}
        failures = 0
        problem: ApiError | Away | None = None
        while missing := [part for part in partitions if part not in offsets]:
            if failures:
                if loop.time() >= deadline:
                    raise problem or ApiError(ErrorCode.LEADER_NOT_AVAILABLE, self._topic)
                await self._client.pause(failures)
                await self._client.refresh([self._topic])
            for lookup in lookups(self._client.cluster, self._topic, missing, timestamp_ms):
                try:
                    problem = await self._look_up(lookup, offsets) or problem
                except AdvertisedUnreachable as error:
                    problem = error
                    if failures + 1 >= _ADVERTISED_ATTEMPTS_MAX:
                        raise
                except (Unreachable, ConnectionLost) as error:
                    problem = error
            failures += 1
        after_last = [part for part, offset in offsets.items() if offset == NO_OFFSET]
        if after_last and timestamp_ms != LATEST:
            offsets.update(await self._first_offsets(after_last, LATEST))
        return offsets

    async def _look_up(self, lookup: Lookup, into: dict[int, int]) -> ApiError | None:
        """Ask one leader; the last error that may pass, if there was one."""
        response = await self._client.ask(lookup.broker_id, LIST_OFFSETS, lookup.request)
        assert isinstance(response, ListOffsetsResponse)
        problem = None
        for partition, found in found_untrusted(lookup, response).items():
            if found.error_code == ErrorCode.NONE:
                into[partition] = found.offset
                continue
            problem = ApiError(found.error_code, f"partition {self._topic}-{partition}")
            if not problem.retriable:
                raise problem
        return problem


async def _first_of(
    under_way: Mapping[asyncio.Task[Exchanged], int], left_seconds: float | None
) -> set[asyncio.Task[Exchanged]]:
    """The answers that are there, waiting for the first one if there is none."""
    if not under_way:
        return set()
    done, _ = await asyncio.wait(
        under_way, timeout=left_seconds, return_when=asyncio.FIRST_COMPLETED
    )
    return done
