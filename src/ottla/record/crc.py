"""CRC-32C (Castagnoli), which guards every record batch of magic 2.

One name, so that a platform without fastcrc has one place to look. Views are read without a copy.
"""

from fastcrc.crc32 import iscsi


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """crc32c(b"123456789") == 0xE3069283."""
    return int(iscsi(data))
