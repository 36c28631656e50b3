"""CRC-32C (Castagnoli), which guards every record batch of magic 2.

One name, so that a platform without fastcrc has one place to look. Views are read without a copy.
"""

from collections.abc import Callable
from typing import Final

from fastcrc.crc32 import iscsi

crc32c: Final[Callable[[bytes | bytearray | memoryview], int]] = iscsi
"""crc32c(b"123456789") == 0xE3069283. Not wrapped: a Fetch asks it once for every batch."""
