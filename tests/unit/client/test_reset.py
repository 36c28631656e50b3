"""Where a reset leads."""

import pytest

from ottla.client.reset import Known, Move, Rule, Wish, duration_ms, moves
from ottla.errors import LocalProtocolError

READ = Known(first=10, end=50, committed=20, at_time=30)
UNREAD = Known(first=10, end=50, committed=None, at_time=None)


@pytest.mark.parametrize(
    ("wish", "known", "move"),
    [
        (Wish(rule=Rule.EARLIEST), READ, Move(20, 10, None)),
        (Wish(rule=Rule.LATEST), READ, Move(20, 50, None)),
        (Wish(rule=Rule.CURRENT), READ, Move(20, 20, None)),
        (Wish(rule=Rule.CURRENT), UNREAD, Move(None, 50, None)),
        (Wish(rule=Rule.OFFSET, number=10), READ, Move(20, 10, None)),
        (Wish(rule=Rule.OFFSET, number=9), READ, Move(20, 10, 9)),
        (Wish(rule=Rule.OFFSET, number=50), READ, Move(20, 50, None)),
        (Wish(rule=Rule.OFFSET, number=51), READ, Move(20, 50, 51)),
        (Wish(rule=Rule.SHIFT, number=-5), READ, Move(20, 15, None)),
        (Wish(rule=Rule.SHIFT, number=-11), READ, Move(20, 10, 9)),
        (Wish(rule=Rule.SHIFT, number=31), READ, Move(20, 50, 51)),
        (Wish(rule=Rule.TIME, number=1), READ, Move(20, 30, None)),
        (Wish(rule=Rule.TIME, number=1), UNREAD, Move(None, 50, None)),
        # What was committed before records were deleted.
        (Wish(rule=Rule.CURRENT), Known(30, 50, 20, None), Move(20, 30, 20)),
    ],
)
def test_a_move(wish: Wish, known: Known, move: Move) -> None:
    assert moves(wish, {("t", 0): known}) == {("t", 0): move}


def test_nothing_is_shifted_from_nowhere() -> None:
    with pytest.raises(LocalProtocolError, match="t-1 has no committed offset"):
        moves(Wish(rule=Rule.SHIFT, number=1), {("t", 0): READ, ("t", 1): UNREAD})


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("PT0S", 0),
        ("PT90S", 90_000),
        ("PT1.5S", 1_500),
        ("PT0.0005S", 0),
        ("PT1H30M", 5_400_000),
        ("P1D", 86_400_000),
        ("P1DT1H1M1.25S", 86_400_000 + 3_600_000 + 60_000 + 1_250),
        ("-PT1M", -60_000),
        ("pt1m", 60_000),
    ],
)
def test_durations(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "1H", "P1H", "PT1D", "P1Y", "P1DT", "PT1.S", "PT1S ", "P999999999999D"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration_ms(text)
