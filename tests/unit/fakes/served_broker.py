"""A real broker on a thread of its own, on a free port of this machine, for whoever has no loop or one of
its own."""

import asyncio
import threading
from pathlib import Path

from ottla.aio.broker import Broker
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved

SECONDS_MAX = 20


class ServedBroker:
    """`bootstrap` is where it listens."""

    def __init__(self, directory: Path) -> None:
        given = {
            "log.dirs": Resolved(str(directory)),
            "listeners": Resolved("PLAINTEXT://127.0.0.1:0"),
            "group.initial.rebalance.delay.ms": Resolved("0"),
            "offsets.topic.num.partitions": Resolved("1"),
        }
        self._broker = Broker(broker_settings(given), given=given)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._broker.start())
        bound = self._broker.bound["PLAINTEXT"]
        self.bootstrap = f"127.0.0.1:{bound.port}"

    def stop(self) -> None:
        self._run(self._broker.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS_MAX)
        self._loop.close()

    def _run(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS_MAX)
