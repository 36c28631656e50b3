"""Which partition of a coordinator's topic an id belongs to: Java's string hash, as every broker has it."""

_INT32 = 1 << 32


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: over UTF-16 units, in 32 bits. java_hash("my-group") == -1906497762."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(units), 2):
        value = (31 * value + (units[at] << 8 | units[at + 1])) % _INT32
    return value - _INT32 if value >= 1 << 31 else value


def shard_of(text: str, count: int) -> int:
    """The shard of `count` that coordinates `text`. shard_of("my-group", 50) == 12."""
    value = java_hash(text)
    # Java's abs(Integer.MIN_VALUE) is negative; Kafka makes it 0.
    return 0 if value == -(1 << 31) else abs(value) % count
