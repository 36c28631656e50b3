"""What `ottla config` and `ottla topic alter` print, change and refuse: against a real broker on loopback."""

import argparse
import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from ottla.aio.broker import Broker
from ottla.aio.client import Client
from ottla.cli import config, quota, topic
from ottla.client.configs import Config, Kind, Resource
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.settings.broker import broker_settings
from ottla.settings.parse import Resolved

Scenario = Callable[[Client], Coroutine[None, None, None]]


def parsed(module: object, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def free_port() -> int:
    """A broker advertises the port it was told, so that it can't be told 0."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def with_broker(directory: Path, scenario: Scenario) -> None:
    async def run() -> None:
        port = free_port()
        given = {
            "listeners": Resolved(f"PLAINTEXT://127.0.0.1:{port}"),
            "log.dirs": Resolved(str(directory)),
        }
        broker = Broker(broker_settings(given), given=given)
        await broker.start()
        try:
            async with Client(ConnectionOptions(bootstrap=(Address("127.0.0.1", port),))) as client:
                await scenario(client)
        finally:
            assert await broker.stop()

    asyncio.run(run())


async def did(client: Client, module: object, *words: str) -> int:
    args = parsed(module, *words)
    if module is topic:
        work = topic._create if args.action == "create" else topic._alter
        return await work(client, args)
    resource = config.resource_of(args)
    if args.action == "describe":
        return await config._describe(client, resource, everything=args.all)
    changes = config.changes_of(args)
    return await config._alter(client, resource, changes, dry_run=args.dry_run)


def test_settings_are_altered_and_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    async def scenario(client: Client) -> None:
        async def say(*words: str, module: object = config, expect: int = 0) -> None:
            assert await did(client, module, *words) == expect
            told.append("".join(capsys.readouterr()))

        await say("create", "t", module=topic)
        await say("alter", "--topic", "t", "--set", "retention.ms=5000", "--append", "cleanup.policy=compact")  # fmt: skip
        await say("describe", "--topic", "t")
        await say("alter", "--topic", "t", "--unset", "retention.ms")
        await say("describe", "--topic", "t")
        await say("alter", "--all-brokers", "--set", "log.retention.ms=7000", "--dry-run")
        await say("describe", "--all-brokers")
        await say("alter", "--broker", "1", "--set", "log.retention.ms=7000")
        await say("describe", "--broker", "1")
        await say("alter", "--topic", "t", "--set", "retention.ms=x", expect=1)
        await say("alter", "t", "--partitions", "3", "--config", "a=b", module=topic, expect=1)
        await say("alter", "t", "--partitions", "3", "--config", "retention.ms=9", module=topic)
        await say("alter", "t", "--partitions", "2", module=topic, expect=1)
        await say("alter", "absent", "--partitions", "2", module=topic, expect=1)
        await say("alter", "t", module=topic, expect=2)

    with_broker(tmp_path, scenario)
    assert told[1] == "Completed updating config for topic t.\n"
    policy = (
        "  cleanup.policy=delete,compact sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:"
        "cleanup.policy=delete,compact, DEFAULT_CONFIG:log.cleanup.policy=delete}\n"
    )
    kept = "  retention.ms=5000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=5000}\n"
    head = "Dynamic configs for topic t are:\n"
    assert (told[2], told[4]) == (head + policy + kept, head + policy)
    assert told[5] == "The configuration of all brokers may be changed so.\n"
    assert told[6] == "Default configs for brokers in the cluster are:\n"
    assert told[8].splitlines()[1].startswith("  log.retention.ms=7000 sensitive=false")
    assert "INVALID_CONFIG: retention.ms=x" in told[9]
    assert "was not altered: INVALID_CONFIG: Unknown topic config name: a" in told[10]
    grown = "Completed updating config for topic t.\nTopic t has 3 partitions.\n"
    assert told[11] == grown
    assert "INVALID_PARTITIONS" in told[12]
    assert "Topic 'absent' does not exist" in told[13]
    assert "Nothing to change" in told[14]


def test_a_secret_is_not_shown() -> None:
    secret = Config("k", None, 2, True, [("k", None, 2)])
    lines = list(config.described(Resource(Kind.BROKER, "1"), [secret], everything=False))
    assert lines == [
        "Dynamic configs for broker 1 are:",
        "  k=null sensitive=true synonyms={DYNAMIC_BROKER_CONFIG:k=null}",
    ]


def test_all_tells_defaults_too() -> None:
    default = Config("k", "v", 5, False, [])
    for everything, lines in ((False, 1), (True, 2)):
        resource = Resource(Kind.GROUP, "g")
        assert len(list(config.described(resource, [default], everything=everything))) == lines


@pytest.mark.parametrize(
    ("words", "resource"),
    [
        (("--topic", "t"), Resource(Kind.TOPIC, "t")),
        (("--broker", "01"), Resource(Kind.BROKER, "1")),
        (("--all-brokers",), Resource(Kind.BROKER, "")),
        (("--broker-logger", "1"), Resource(Kind.BROKER_LOGGER, "1")),
        (("--group", "g"), Resource(Kind.GROUP, "g")),
        (("--client-metrics", "m"), Resource(Kind.CLIENT_METRICS, "m")),
    ],
)
def test_a_resource_is_named(words: tuple[str, ...], resource: Resource) -> None:
    assert config.resource_of(parsed(config, "describe", *words)) == resource


@pytest.mark.parametrize(
    "words",
    [
        ("describe", "--topic", "t", "--group", "g"),
        ("describe", "--ip", "::1", "--ip-defaults"),
        ("describe", "--client-id", ""),
        ("describe", "--broker", "x"),
        ("alter", "--topic", "t", "--set", "a"),
        ("alter", "--topic", "t", "--unset", "a=b"),
    ],
)
def test_wrong_usage_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parsed(config, *words)
    assert exit_info.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_command_that_changes_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert config.run(parsed(config, "alter", "--topic", "t")) == 2
    assert "Nothing to change" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        (("describe",), "Give one of"),
        (("describe", "--topic", "t", "--user", "u"), "Give one of"),
        (("alter", "--user", "u"), "Nothing to change"),
        (("alter", "--user", "u", "--append", "request_percentage=1"), "A quota is a number"),
        (("alter", "--user", "u", "--set", "request_percentage=much"), "a number is expected"),
    ],
)
def test_a_command_about_quotas_must_make_sense(
    words: tuple[str, ...], explanation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert config.run(parsed(config, *words)) == 2
    assert explanation in capsys.readouterr().err


def test_quotas_are_altered_and_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    async def scenario(client: Client) -> None:
        async def alter(*words: str, dry_run: bool = False, **changes: float | None) -> int:
            entity = quota.entity_of(parsed(config, "describe", *words))
            return await quota.alter(client, entity, changes, dry_run=dry_run)

        async def describe(*words: str) -> None:
            entity = quota.entity_of(parsed(config, "describe", *words))
            assert await quota.describe(client, entity) == 0
            told.append("".join(capsys.readouterr()))

        assert await alter("--client-id", "c", producer_byte_rate=1024, request_percentage=2.5) == 0
        assert await alter("--client-id", "c", "--user-defaults", request_percentage=7) == 0
        assert await alter("--ip", "::1", dry_run=True, connection_creation_rate=7) == 0
        assert await alter("--ip", "nowhere", connection_creation_rate=7) == 1
        told.append("".join(capsys.readouterr()))
        await describe("--client-id", "c")
        await describe("--user-defaults", "--client-id", "c")
        await describe("--ip", "::1")
        assert await alter("--client-id", "c", producer_byte_rate=None) == 0
        capsys.readouterr()
        await describe("--client-id", "c")

    with_broker(tmp_path, scenario)
    assert told == [
        (
            "Completed updating config for client-id 'c'.\n"
            "Completed updating config for the default user-principal, client-id 'c'.\n"
            "The quotas of ip '::1' may be changed so.\n"
            "ottla: The quotas of ip 'nowhere' were not changed: INVALID_REQUEST: 'nowhere' is not a "
            "valid IP address\n"
        ),
        "Quota configs for client-id 'c' are producer_byte_rate=1024.0, request_percentage=2.5\n",
        "Quota configs for the default user-principal, client-id 'c' are request_percentage=7.0\n",
        "",
        "Quota configs for client-id 'c' are request_percentage=2.5\n",
    ]


def test_a_terminal_gets_a_table() -> None:
    of = Resource(Kind.TOPIC, "t")
    mine = Config("retention.ms", "9", 1, is_sensitive=False, synonyms=())
    secret = Config("secret", None, 1, is_sensitive=True, synonyms=())
    default = Config("flush.ms", "1", 5, is_sensitive=False, synonyms=())
    assert list(config.shown(of, [mine, secret, default], 80, everything=False)) == [
        "KEY           VALUE     FROM",
        "retention.ms  9         DYNAMIC_TOPIC_CONFIG",
        "secret        (hidden)  DYNAMIC_TOPIC_CONFIG",
    ]
    assert len(list(config.shown(of, [mine, default], 80, everything=True))) == 3
    assert list(config.shown(of, [default], 80, everything=False)) == [
        "Nothing is set for topic t. (--all shows the defaults.)"
    ]
