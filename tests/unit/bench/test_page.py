"""The page says who is behind, what was asked, and what is not there."""

import page
from asked import ASKED, Asked

KAFKA = Asked(question="q", figure="f", must=1.0, peer="kafka")


def result(
    ours: list[float],
    theirs: list[float],
    *,
    more: bool = False,
    others: float = 0.0,
    **peers: object,
) -> page.Result:
    return {
        "question": "q",
        "title": "A question",
        "how": "So.",
        "figures": [
            {"name": "f", "unit": "µs", "more_is_better": more},
            {"name": "absent", "unit": "s", "more_is_better": False},
        ],
        "run": {
            "when": "then",
            "commit": "c",
            "rounds": len(ours),
            "warm_up": 0,
            "others": others,
            "priority": 0,
        },
        "machine": {"cpu": "2 x fast"},
        "peers": {
            "ottla": {"title": "Ottla", "version": "1", "rounds": [{"f": x} for x in ours]},
            "kafka": {
                "title": "Apache Kafka",
                "version": "4",
                "rounds": [{"f": x} for x in theirs],
            },
            **peers,  # type: ignore[typeddict-item]
        },
    }


def test_a_cell_is_the_median_and_says_how_many_times_it_ours_is() -> None:
    assert "| f | µs | 5.00 | 20.0 (0.25) |" in page.page([result([5, 1, 9], [20, 20, 2])])


def test_where_less_is_better_more_is_behind() -> None:
    assert "| f | µs | 3.00 | 2.00 (**1.50**) |" in page.page([result([3], [2])])


def test_where_more_is_better_less_is_behind() -> None:
    assert "| f | µs | 1.00 | 2.00 (**0.50**) |" in page.page([result([1], [2], more=True)])


def row(one: Asked, *results: page.Result) -> str:
    """What the page says of it, from the figure on."""
    lines = page.page(results, [one]).splitlines()
    (line,) = (line for line in lines if line.startswith("| A question |"))
    return line.removeprefix("| A question ")


def test_a_limit_holds_against_a_peer_or_not() -> None:
    held = Asked(question="q", figure="f", must=1.0, peer="kafka")
    assert row(held, result([1], [2])) == "| f | Apache Kafka | ≤ 1 x |  | 0.50 x | yes |"
    assert row(held, result([3], [2])) == "| f | Apache Kafka | ≤ 1 x |  | 1.50 x | **no** |"


def test_a_limit_may_be_one_from_below() -> None:
    held = Asked(question="q", figure="f", must=1.0, at_least=True, peer="kafka")
    assert row(held, result([1], [2])) == "| f | Apache Kafka | ≥ 1 x |  | 0.50 x | **no** |"
    assert row(held, result([3], [2])) == "| f | Apache Kafka | ≥ 1 x |  | 1.50 x | yes |"


def test_a_limit_may_be_a_figure_as_it_is() -> None:
    held = Asked(question="q", figure="f", must=5)
    assert row(held, result([4], [2])) == "| f |  | ≤ 5 µs |  | 4.00 µs | yes |"
    assert row(held, result([6], [2])) == "| f |  | ≤ 5 µs |  | 6.00 µs | **no** |"


def test_a_limit_may_be_held_against_another_figure_of_our_own() -> None:
    held = Asked(question="q", figure="f", must=1.5, base="g")
    measured = result([4], [2])
    measured["peers"]["ottla"]["rounds"] = [{"f": 4, "g": 2}]
    assert row(held, measured) == "| f | g | ≤ 1.5 x |  | 2.00 x | **no** |"


def test_a_must_and_an_aim_are_told_apart() -> None:
    held = Asked(question="q", figure="f", must=5, aim=3)
    assert row(held, result([2], [2])).endswith("| ≤ 5 µs | ≤ 3 µs | 2.00 µs | yes, and the aim |")
    assert row(held, result([4], [2])).endswith("| 4.00 µs | yes |")
    assert row(held, result([6], [2])).endswith("| 6.00 µs | **no** |")
    only = Asked(question="q", figure="f", aim=3)
    assert row(only, result([4], [2])).endswith("| 4.00 µs | the aim is not reached |")
    assert row(only, result([2], [2])).endswith("| 2.00 µs | the aim is reached |")


def test_what_nobody_measured_is_said_to_be_open() -> None:
    for nothing in (
        Asked(question="q", figure="absent", must=1, peer="kafka"),
        Asked(question="q", figure="f", must=1, peer="unknown"),
        Asked(question="q", figure="f", must=1, of="compiled"),
        Asked(question="q", figure="f", must=1, base="absent"),
    ):
        text = page.page([result([1], [2])], [nothing])
        assert text.count("not yet measured") == 1
    assert "| `never` | f |" in page.page([], [Asked(question="never", figure="f", must=1)])


def test_what_another_than_the_usual_one_is_asked_is_judged_by_its_own_figure() -> None:
    held = Asked(question="q", figure="f", must=0.5, peer="kafka", of="compiled")
    compiled = {"title": "Ottla, compiled", "version": "1", "rounds": [{"f": 1}]}
    text = page.page([result([9], [4], compiled=compiled)], [held])
    assert "| f, Ottla, compiled | Apache Kafka | ≤ 0.5 x |  | 0.25 x | yes |" in text
    assert "| f | µs | 9.00 | 4.00 (**2.25**) | 1.00 |" in text


def test_a_noisy_run_makes_a_judgment_one_with_a_remark() -> None:
    assert "| yes, not quiet |" in page.page([result([1], [2], others=0.3)], [KAFKA])


def test_a_figure_that_nobody_has_is_a_dash() -> None:
    assert "| absent | s | – | – |" in page.page([result([1], [2])])


def test_what_shrank_meanwhile_is_no_measure() -> None:
    text = page.page([result([1], [-2])], [KAFKA])
    assert "| f | µs | 1.00 | -2.00 |" in text
    assert "not yet measured" in text


def test_all_that_is_asked_is_asked_of_questions_that_exist_and_has_a_limit() -> None:
    for one in ASKED:
        assert one.question in page.ORDER
        assert one.must is not None or one.aim is not None
        assert not (one.peer and one.base)


def test_who_was_not_asked_has_a_reason_instead_of_a_column() -> None:
    mock = {"title": "A mock", "version": "0", "refused": "it keeps nothing"}
    text = page.page([result([1], [2], mock=mock)])
    assert "A mock is not asked: it keeps nothing." in text
    assert "| | unit | Ottla | Apache Kafka |" in text


def test_a_machine_that_others_used_is_named_so() -> None:
    assert "not quiet" in page.page([result([1], [2], others=0.3)])
    assert "not quiet" not in page.page([result([1], [2], others=0.03)])
