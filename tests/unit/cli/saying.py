"""Lines that a user types, done by the command's own coroutine, for tests that have a loop."""

import shlex
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Final, Protocol

import pytest

from ottla.aio.client import Client
from ottla.cli import group, offsets, topic
from tests.unit.cli.test_config import parsed

_MODULES: Final[dict[str, tuple[ModuleType, Callable[..., Awaitable[int]]]]] = {
    "topic": (topic, topic.do),
    "group": (group, group.do),
    "offsets": (offsets, offsets.show),
}


class Say(Protocol):
    """What a line prints, on both streams; it must end with this exit code."""

    async def __call__(self, line: str, *, expect: int = 0) -> str: ...


def sayer(client: Client, capsys: pytest.CaptureFixture[str]) -> Say:
    async def say(line: str, *, expect: int = 0) -> str:
        name, *words = shlex.split(line)
        module, do = _MODULES[name]
        code = await do(client, parsed(module, *words))
        told = "".join(capsys.readouterr())
        assert code == expect, told
        return told

    return say
