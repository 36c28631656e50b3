"""Which shard an id belongs to, as Java computes it."""

import pytest

from ottla.core.shard.place import java_hash, shard_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 97),
        ("my-group", -1906497762),
        # Java's documented collision, and the one text whose hash has no positive counterpart.
        ("Aa", 2112),
        ("BB", 2112),
        ("polygenelubricants", -(1 << 31)),
        ("ключ", 33309882),
        ("\U0001f600", 1772899),
    ],
)
def test_java_hash(text: str, expected: int) -> None:
    assert java_hash(text) == expected


def test_the_shard_of_an_id() -> None:
    assert shard_of("my-group", 50) == 12
    assert shard_of("polygenelubricants", 50) == 0
    assert {shard_of(f"group-{number}", 5) for number in range(100)} == {0, 1, 2, 3, 4}
