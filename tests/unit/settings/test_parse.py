"""Text to values by type, and .properties files as Java reads them."""

import pytest

from ottla.settings.broker import broker_settings
from ottla.settings.definition import (
    BOOLEAN,
    DOUBLE,
    INT,
    LIST,
    LONG,
    PASSWORD,
    SHORT,
    STRING,
    ConfigurationError,
    Setting,
    Type,
    setting,
)
from ottla.settings.parse import Entry, Resolved, properties, text_of, value_of
from ottla.settings.topic import check_topic_overrides
from ottla.settings.valid import (
    GzipLevel,
    HostPorts,
    NonEmpty,
    OneOf,
    ShareOffsetReset,
    ThrottledReplicas,
    Valid,
    Value,
    Voters,
    at_least,
    between,
    names,
    one_of,
)


def of(type_: Type, valid: Valid | None = None) -> Setting:
    return setting("some.key", type_, None, valid)


@pytest.mark.parametrize(
    ("given", "text", "value"),
    [
        (of(BOOLEAN), " TRUE ", True),
        (of(BOOLEAN), "false", False),
        (of(INT), " 42 ", 42),
        (of(INT), "+42", 42),
        (of(INT), "-2147483648", -(2**31)),
        (of(SHORT), "32767", 32767),
        (of(LONG), "9223372036854775807", 2**63 - 1),
        (of(LONG), "000000000000000000000000001", 1),
        (of(DOUBLE), "0.5", 0.5),
        (of(DOUBLE), "1e3", 1000.0),
        (of(DOUBLE), "2d", 2.0),
        (of(STRING), "  a b  ", "a b"),
        (of(LIST), "a , b,c", ("a", "b", "c")),
        (of(LIST), "  ", ()),
        (of(PASSWORD), " secret ", "secret"),
        (of(INT, at_least(1)), "1", 1),
        (of(STRING, OneOf(("A", "B"), ignore_case=True)), "a", "a"),
        (of(LIST, names("a", "b")), "b", ("b",)),
        (of(INT, GzipLevel()), "-1", -1),
        (of(LIST, ThrottledReplicas()), "*", ("*",)),
        (of(LIST, ThrottledReplicas()), "0:1,1:2", ("0:1", "1:2")),
        (of(LIST, Voters()), "1@[::1]:9093", ("1@[::1]:9093",)),
        (of(STRING, ShareOffsetReset()), "by_duration:PT1H", "by_duration:PT1H"),
    ],
)
def test_text_becomes_a_value(given: Setting, text: str, value: Value) -> None:
    parsed = value_of(given, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        (of(BOOLEAN), "1", "true or false"),
        (of(BOOLEAN), "yes", "true or false"),
        (of(INT), "7d", "a whole number of 32 bits"),
        (of(INT), "", "a whole number of 32 bits"),
        (of(INT), "1_000", "a whole number of 32 bits"),
        (of(INT), "٣", "a whole number of 32 bits"),
        (of(INT), "2147483648", "a whole number of 32 bits"),
        (of(INT), "9" * 5000, "a whole number of 32 bits"),
        (of(SHORT), "32768", "a whole number of 16 bits"),
        (of(LONG), "9223372036854775808", "a whole number of 64 bits"),
        (of(DOUBLE), "inf", "a number"),
        (of(DOUBLE), "half", "a number"),
        (of(DOUBLE), "", "a number"),
        (of(DOUBLE, between(0, 1)), "1.5", "a number from 0 to 1"),
        (of(INT, at_least(1)), "0", "a number from 1 on"),
        (of(INT, at_least(1)), "x", "a whole number of 32 bits from 1 on"),
        (of(STRING, one_of("a", "b")), "A", "one of a, b"),
        (of(STRING, NonEmpty()), " ", "a text that is not empty"),
        (of(LIST, names("a", "b")), "a,c", "a list out of a, b, without duplicates"),
        (of(LIST, names("a", "b")), "a,a", "a list out of a, b, without duplicates"),
        (of(LIST, names()), "a,,b", "a list, without duplicates or empty names"),
        (of(LIST, names(empty=False)), "", "a list of at least one"),
        (of(INT, GzipLevel()), "0", "a number from 1 to 9, or -1"),
        (of(LIST, ThrottledReplicas()), "0-1", "* or a list of partition:broker"),
        (of(LIST, Voters()), "localhost:9093", "a list of id@host:port"),
        (of(LIST, HostPorts()), "localhost", "a list of host:port"),
        (of(LIST, HostPorts()), "localhost:70000", "a list of host:port"),
        (of(STRING, ShareOffsetReset()), "by_duration:1h", "latest, earliest, or by_duration:"),
    ],
)
def test_what_is_no_value_is_refused_by_key_value_and_expectation(
    given: Setting, text: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        value_of(given, text)
    assert str(caught.value).startswith(f"some.key={text.strip()}") or str(caught.value).startswith(
        f"some.key={text}"
    )
    assert expected in str(caught.value)


def test_a_secret_is_never_in_a_refusal() -> None:
    with pytest.raises(ConfigurationError) as caught:
        value_of(of(PASSWORD, one_of("a")), "hunter2")
    assert "hunter2" not in str(caught.value)
    assert "some.key=(hidden)" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        (("a", "b"), "a,b"),
        ((), ""),
        (0.5, "0.5"),
        (0.9, "0.9"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (1e7, "1.0E7"),
        (123456789.25, "1.2345678925E8"),
        (0.00015, "1.5E-4"),
        (0.0, "0.0"),
    ],
)
def test_values_are_printed_as_java_prints_them(value: Value, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a=1", [("a", "1", 1)]),
        ("  a = 1  ", [("a", "1  ", 1)]),
        ("a:1\nb 2\nc\t=\t3", [("a", "1", 1), ("b", "2", 2), ("c", "3", 3)]),
        ("# note\n! note\n\n  # note\na=1", [("a", "1", 5)]),
        ("a=1,\\\n    2,\\\n    3\nb=4", [("a", "1,2,3", 1), ("b", "4", 4)]),
        ("a=1\\\\\nb=2", [("a", "1\\", 1), ("b", "2", 2)]),
        ("# no \\\na=1", [("a", "1", 2)]),
        ("a\\ b\\:c\\=d=e", [("a b:c=d", "e", 1)]),
        ("a=\\t\\n\\u00e9\\q", [("a", "\t\né" + "q", 1)]),
        ("a==1", [("a", "=1", 1)]),
        ("a", [("a", "", 1)]),
        ("=1", [("", "1", 1)]),
        ("a=1\r\nb=2\rc=3", [("a", "1", 1), ("b", "2", 2), ("c", "3", 3)]),
        ("a=1\na=2", [("a", "1", 1), ("a", "2", 2)]),
        ("a=1\\", [("a", "1", 1)]),
        ("dir=C:\\\\data", [("dir", "C:\\data", 1)]),
        ("a=é\u2028b", [("a", "é\u2028b", 1)]),
    ],
)
def test_properties_are_read_as_java_does(text: str, entries: list[tuple[str, str, int]]) -> None:
    assert properties(text) == [Entry(*entry) for entry in entries]


@pytest.mark.parametrize("text", ["x=1\na=\\u00g1", "x=1\na=\\u12"])
def test_a_broken_escape_is_refused_by_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^line 2: "):
        properties(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0" * 32_000, 0), ("0" * 32_000 + "7", 7), ("-" + "0" * 32_000 + "7", -7), ("+07", 7)],
)
def test_a_number_may_have_many_zeros_in_front(text: str, number: int) -> None:
    assert value_of(setting("a", LONG, None), text) == number


@pytest.mark.parametrize(("text", "shown"), [("1e400", "Infinity"), ("-1e400", "-Infinity")])
def test_a_double_beyond_all_is_told_as_java_does(text: str, shown: str) -> None:
    assert text_of(value_of(setting("a", DOUBLE, None), text)) == shown


def test_zeros_in_front_are_nothing_wherever_a_number_is_read() -> None:
    zeros = "0" * 9_000
    given = {
        "log.retention.ms": Resolved(f"{zeros}7"),
        "max.connections.per.ip.overrides": Resolved(f"host:{zeros}7"),
    }
    settings = broker_settings(given)
    assert settings.topic_defaults["retention.ms"] == "7"
    assert settings.connections.per_host_max_overrides == {"host": 7}
    assert HostPorts().allows((f"host:{zeros}7",))
    assert not HostPorts().allows((f"host:{zeros}70000",))
    lags = {"min.compaction.lag.ms": f"{zeros}7", "max.compaction.lag.ms": f"{zeros}6"}
    assert "min.compaction.lag.ms=7 is above" in (check_topic_overrides({**lags}) or "")


def test_more_connections_than_a_number_can_say_are_refused() -> None:
    given = {"max.connections.per.ip.overrides": Resolved("host:" + "9" * 9_000)}
    with pytest.raises(ConfigurationError, match="host:number is expected"):
        broker_settings(given)
