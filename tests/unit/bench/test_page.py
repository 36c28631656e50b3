"""The page says who is behind, what was asked, and what is not there."""

import page


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
            {"name": "f", "unit": "µs", "more_is_better": more, "asked": {"kafka": 1.0}},
            {"name": "absent", "unit": "s", "more_is_better": False, "asked": {"kafka": 1.0}},
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
    text = page.page([result([3], [2])])
    assert "| f | µs | 3.00 | 2.00 (**1.50**) |" in text
    assert "| f | Apache Kafka | ≤ 1 | 1.50 | **no** |" in text


def test_where_more_is_better_less_is_behind() -> None:
    text = page.page([result([1], [2], more=True)])
    assert "| f | µs | 1.00 | 2.00 (**0.50**) |" in text
    assert "| f | Apache Kafka | ≥ 1 | 0.50 | **no** |" in text


def test_what_holds_is_said_to_hold() -> None:
    assert "| f | Apache Kafka | ≤ 1 | 0.50 | yes |" in page.page([result([1], [2])])


def test_a_figure_that_nobody_has_is_a_dash_and_nothing_is_asked_of_it() -> None:
    text = page.page([result([1], [2])])
    assert "| absent | s | – | – |" in text
    assert text.count("absent") == 1


def test_what_shrank_meanwhile_is_no_measure() -> None:
    text = page.page([result([1], [-2])])
    assert "| f | µs | 1.00 | -2.00 |" in text
    assert "asked of Ottla" not in text


def test_who_was_not_asked_has_a_reason_instead_of_a_column() -> None:
    mock = {"title": "A mock", "version": "0", "refused": "it keeps nothing"}
    text = page.page([result([1], [2], mock=mock)])
    assert "A mock is not asked: it keeps nothing." in text
    assert "| | unit | Ottla | Apache Kafka |" in text


def test_a_machine_that_others_used_is_named_so() -> None:
    assert "not quiet" in page.page([result([1], [2], others=0.3)])
    assert "not quiet" not in page.page([result([1], [2], others=0.03)])
