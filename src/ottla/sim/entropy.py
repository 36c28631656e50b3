"""A node's source of chance, so that its ids are the same in every run of a world."""

from random import Random
from typing import final

from ottla.types import Uuid


@final
class SeededEntropy:
    """`core.port.Entropy` from a stream of chance."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def uuid(self) -> Uuid:
        # A first byte below 0xf8 keeps the text form from beginning with a dash.
        return bytes([self._chance.randrange(0xF8)]) + self._chance.randbytes(15)

    def below(self, end: int) -> int:
        return self._chance.randrange(end)
