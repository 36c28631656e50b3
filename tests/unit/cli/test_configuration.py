"""The configuration of `ottla serve`: precedence, the images' dialects, and what an operator is told."""

from pathlib import Path

import pytest

from ottla.cli.configuration import Configuration, Note, resolve, table
from ottla.settings.definition import ConfigurationError
from ottla.settings.environment import TopicToCreate, environment_of, is_topic_name
from ottla.settings.listener import HostPort


def from_environment(**variables: str) -> Configuration:
    return resolve([], variables, None)


def written(directory: Path, text: str) -> str:
    path = directory / "server.properties"
    path.write_text(text, encoding="utf-8")
    return str(path)


def listeners_of(configuration: Configuration) -> list[tuple[str, str, int, HostPort | None]]:
    return [(o.name, o.host, o.port, o.advertised) for o in configuration.broker.listeners]


def warnings_of(configuration: Configuration) -> list[str]:
    return [note.text for note in configuration.notes if note.level == "WARNING"]


# ---- precedence


def test_each_layer_wins_over_the_one_below(tmp_path: Path) -> None:
    path = written(
        tmp_path, "num.partitions=1\nnode.id=1\nbroker.rack=a\nlog.dirs=/1\nfetch.max.bytes=2001\n"
    )
    environ = {
        "KAFKA_NUM_PARTITIONS": "2",
        "KAFKA_BROKER_RACK": "b",
        "KAFKA_LOG_DIRS": "/2",
        "KAFKA_CFG_LOG_DIRS": "/3",
        "OTTLA_NUM_PARTITIONS": "3",
        "OTTLA_BROKER_RACK": "c",
    }
    broker = resolve(["num.partitions=4"], environ, path).broker
    assert broker.topics.partitions == 4
    assert broker.rack == "c"
    assert broker.log_dirs == ("/3",)
    assert broker.fetch.response_bytes_max == 2001


def test_either_name_of_the_node_id_wins_over_a_lower_layer(tmp_path: Path) -> None:
    path = written(tmp_path, "node.id=1\n")
    configuration = resolve([], {"KAFKA_BROKER_ID": "5"}, path)
    assert configuration.broker.node_id == 5
    assert configuration.given["node.id"].text == "5"


def test_the_last_of_a_key_given_twice_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "num.partitions=1\nnum.partitions=2\n")
    configuration = resolve(["num.partitions=3", "num.partitions=4"], {}, path)
    assert configuration.broker.topics.partitions == 4
    assert configuration.given["num.partitions"].where == "--override"


def test_own_variables_reach_own_settings() -> None:
    assert from_environment(OTTLA_FLUSH="ack").broker.logs.flush_on_ack
    assert from_environment(OTTLA_OTTLA_HTTP="off").broker.http == "off"
    assert from_environment(OTTLA_CLUSTER_ID="abc").cluster_id == "abc"


def test_a_file_that_is_not_utf8_is_read_as_java_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_bytes(b"broker.rack=caf\xe9\n")
    assert resolve([], {}, str(path)).broker.rack == "café"


# ---- the images (deployment cases)


def test_nothing_configured_answers_with_the_address_of_arrival() -> None:
    configuration = from_environment()
    assert listeners_of(configuration) == [("PLAINTEXT", "localhost", 9092, None)]
    assert configuration.notes == ()
    assert configuration.topics_to_create == ()
    assert configuration.cluster_id is None


def test_the_wurstmeister_tutorial_starts() -> None:
    configuration = from_environment(
        KAFKA_ADVERTISED_HOST_NAME="192.168.29.10",
        KAFKA_CREATE_TOPICS="test-topic:5:2",
        KAFKA_VERSION="2.13",
        KAFKA_HOME="/opt/kafka",
    )
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9092, HostPort("192.168.29.10", 9092))]
    assert configuration.topics_to_create == (TopicToCreate("test-topic", 5, 2, None),)
    assert configuration.broker.topics.auto_create
    assert len(warnings_of(configuration)) == 1
    assert "advertised.listeners=PLAINTEXT://192.168.29.10:9092" in warnings_of(configuration)[0]


def test_the_wurstmeister_ports_are_read() -> None:
    configuration = from_environment(
        KAFKA_ADVERTISED_HOST_NAME="h", KAFKA_ADVERTISED_PORT="32000", KAFKA_PORT="9094"
    )
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9094, HostPort("h", 32000))]


def test_zookeeper_in_a_compose_file_does_not_make_a_cluster() -> None:
    alone = from_environment(KAFKA_ZOOKEEPER_CONNECT="zookeeper:2181", KAFKA_BROKER_ID="1")
    assert alone.broker.node_id == 1
    assert alone.given["ottla.metadata.store"].text == "local"
    [warning] = warnings_of(alone)
    assert "KAFKA_ZOOKEEPER_CONNECT=zookeeper:2181: this version forms no cluster" in warning
    known = from_environment(KAFKA_ZOOKEEPER_CONNECT="zookeeper:2181", OTTLA_METADATA_STORE="local")
    assert warnings_of(known) == []
    assert warnings_of(from_environment(KAFKA_ZOOKEEPER_CONNECT=" ")) == []


@pytest.mark.parametrize(
    ("overrides", "environ"),
    [
        (["zookeeper.connect=zoo:2181"], {}),
        ([], {"OTTLA_ZOOKEEPER_CONNECT": "zoo:2181"}),
        ([], {"KAFKA_ZOOKEEPER_CONNECT": "zoo:2181", "OTTLA_METADATA_STORE": "auto"}),
    ],
)
def test_who_asks_for_a_cluster_is_refused_with_both_ways_out(
    overrides: list[str], environ: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(overrides, environ, None)
    assert "zookeeper.connect=zoo:2181 asks for a cluster" in str(caught.value)
    assert "leave it out or add ottla.metadata.store=local" in str(caught.value)


def test_the_confluent_tutorial_starts() -> None:
    configuration = from_environment(
        KAFKA_BROKER_ID="1",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT",
        KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://localhost:9092,PLAINTEXT_INTERNAL://broker:29092",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        CLUSTER_ID="MkU3OEVBNTcwNTJENDM2Qk",
    )
    assert listeners_of(configuration) == [
        ("PLAINTEXT", "0.0.0.0", 9092, HostPort("localhost", 9092)),
        ("PLAINTEXT_INTERNAL", "0.0.0.0", 29092, HostPort("broker", 29092)),
    ]
    assert configuration.broker.inter_broker_listener == "PLAINTEXT"
    assert configuration.cluster_id == "MkU3OEVBNTcwNTJENDM2Qk"
    assert warnings_of(configuration) == []


APACHE_COMBINED = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"
    ),
    "KAFKA_LISTENERS": "CONTROLLER://:29093,PLAINTEXT_HOST://:9092,PLAINTEXT://:19092",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT_HOST://localhost:9092,PLAINTEXT://broker:19092",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:29093",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_LOG_DIRS": "/tmp/kraft-combined-logs",
    "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
}


def test_the_apache_single_node_example_starts() -> None:
    configuration = from_environment(**APACHE_COMBINED)
    assert listeners_of(configuration) == [
        ("PLAINTEXT_HOST", "", 9092, HostPort("localhost", 9092)),
        ("PLAINTEXT", "", 19092, HostPort("broker", 19092)),
    ]
    assert configuration.broker.inter_broker_listener == "PLAINTEXT"
    assert configuration.broker.log_dirs == ("/tmp/kraft-combined-logs",)
    assert configuration.broker.groups.initial_rebalance_delay_ms == 0
    assert warnings_of(configuration) == []


def test_the_apache_three_node_example_is_refused() -> None:
    voters = "1@broker-1:29093,2@broker-2:29093,3@broker-3:29093"
    with pytest.raises(ConfigurationError, match="KAFKA_ZOOKEEPER_CONNECT"):
        from_environment(**{**APACHE_COMBINED, "KAFKA_CONTROLLER_QUORUM_VOTERS": voters})


def test_the_bitnami_compose_file_starts() -> None:
    configuration = from_environment(
        KAFKA_CFG_NODE_ID="0",
        KAFKA_CFG_PROCESS_ROLES="controller,broker",
        KAFKA_CFG_CONTROLLER_QUORUM_VOTERS="0@kafka:9093",
        KAFKA_CFG_LISTENERS="PLAINTEXT://:9092,CONTROLLER://:9093",
        KAFKA_CFG_ADVERTISED_LISTENERS="PLAINTEXT://kafka:9092",
        KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        KAFKA_CFG_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_CFG_INTER_BROKER_LISTENER_NAME="PLAINTEXT",
        KAFKA_KRAFT_CLUSTER_ID="abcdefghijklmnopqrstuv",
        KAFKA_ENABLE_KRAFT="yes",
        KAFKA_CLIENT_USERS="user",
        KAFKA_CLIENT_PASSWORDS="hunter2",
        ALLOW_PLAINTEXT_LISTENER="yes",
        BITNAMI_DEBUG="true",
    )
    assert configuration.broker.node_id == 0
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9092, HostPort("kafka", 9092))]
    assert configuration.cluster_id == "abcdefghijklmnopqrstuv"
    assert warnings_of(configuration) == []
    assert "hunter2" not in repr(configuration)


def test_the_bitnami_names_for_settings_are_read() -> None:
    broker = from_environment(
        KAFKA_LOGS_DIRS="/data", KAFKA_MAX_MESSAGE_BYTES="7", KAFKA_SEGMENT_BYTES="1048577"
    ).broker
    assert broker.log_dirs == ("/data",)
    assert broker.topic_defaults["max.message.bytes"] == "7"
    assert broker.topic_defaults["segment.bytes"] == "1048577"


def test_a_bitnami_value_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "partitions"
    secret.write_text("9\n", encoding="utf-8")
    for name in ("KAFKA_CFG_NUM_PARTITIONS_FILE", "KAFKA_NUM_PARTITIONS_FILE"):
        assert from_environment(**{name: str(secret)}).broker.topics.partitions == 9
    with pytest.raises(ConfigurationError, match="KAFKA_CFG_NODE_ID_FILE cannot be read"):
        from_environment(KAFKA_CFG_NODE_ID_FILE=str(tmp_path / "absent"))


def test_a_setting_whose_own_name_ends_in_file_is_not_read_from_one() -> None:
    configuration = from_environment(KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE="/nowhere")
    assert configuration.given["sasl.oauthbearer.assertion.file"].text == "/nowhere"


def test_the_spotify_names_are_read() -> None:
    configuration = from_environment(
        ADVERTISED_HOST="10.1.1.1", ADVERTISED_PORT="9099", AUTO_CREATE_TOPICS="false"
    )
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9092, HostPort("10.1.1.1", 9099))]
    assert not configuration.broker.topics.auto_create


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("KAFKA_LOG_DIRS", "log.dirs"),
        ("KAFKA_A__B", "a_b"),
        ("KAFKA_A___B", "a-b"),
        (
            "KAFKA_LISTENER_NAME_IN_SCRAM___SHA___256_SASL_JAAS_CONFIG",
            "listener.name.in.scram-sha-256.sasl.jaas.config",
        ),
        ("KAFKA_CFG_A__B", "a..b"),
        ("OTTLA_A__B", "a_b"),
        ("OTTLA_HTTP", "ottla.http"),
    ],
)
def test_a_variables_name_becomes_a_key(name: str, key: str) -> None:
    environment = environment_of({name: "x"})
    assert [given.key for given in (*environment.kafka, *environment.own)] == [key]


@pytest.mark.parametrize(
    "name",
    [
        "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_PORT", "KAFKA_LOG4J_LOGGERS", "KAFKA_VERSION",
        "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS", "KAFKA_SASL_USERNAME", "KAFKA_REST_HOST_NAME",
        "KAFKA_SECURITY_PROTOCOL", "KAFKA_SSL_KEYSTORE_FILENAME", "OTTLA_ALLOW_ENV_COMMANDS",
        "KAFKA_CLIENT_PASSWORDS_FILE", "KAFKA_LOG_FILE", "PATH", "LOG4J_LOGGER", "CONFLUENT_SUPPORT_METRICS_ENABLE",
    ],
)  # fmt: skip
def test_what_is_no_setting_is_left_alone(name: str) -> None:
    configuration = from_environment(**{name: "x"})
    assert not configuration.given
    assert configuration.notes == ()


def test_a_brokers_own_sasl_settings_are_not_taken_for_a_clients() -> None:
    given = from_environment(KAFKA_SASL_ENABLED_MECHANISMS="PLAIN").given
    assert given["sasl.enabled.mechanisms"].text == "PLAIN"


def test_what_kubernetes_injects_is_ignored_and_said_once() -> None:
    configuration = from_environment(
        KAFKA_PORT="tcp://10.0.0.1:9092",
        KAFKA_SERVICE_HOST="10.0.0.1",
        KAFKA_SERVICE_PORT="9092",
        KAFKA_SERVICE_PORT_CLIENT="9092",
        KAFKA_PORT_9092_TCP="tcp://10.0.0.1:9092",
        KAFKA_PORT_9092_TCP_ADDR="10.0.0.1",
        KAFKA_PORT_9092_TCP_PROTO="tcp",
        KAFKA_UI_SERVICE_HOST="10.0.0.2",
    )
    assert not configuration.given
    (note,) = configuration.notes
    assert note.level == "INFO"
    assert "KAFKA_PORT_9092_TCP_PROTO" in note.text
    assert "enableServiceLinks: false" in note.text


def test_kerberos_is_not_taken_for_a_kubernetes_service() -> None:
    given = from_environment(KAFKA_SASL_KERBEROS_SERVICE_NAME="kafka").given
    assert given["sasl.kerberos.service.name"].text == "kafka"


# ---- topics to create


@pytest.mark.parametrize(
    ("text", "separator", "topics"),
    [
        ("a:1:1", None, [("a", 1, 1, None)]),
        ("a:1:1, b:2:3:compact", None, [("a", 1, 1, None), ("b", 2, 3, "compact")]),
        ("a:1:1,", None, [("a", 1, 1, None)]),
        ("a:1:1\nb:2:1\n", "\n", [("a", 1, 1, None), ("b", 2, 1, None)]),
        (
            "a:1:1\nb:2:1:compact,delete\n",
            "$'\\n'",
            [("a", 1, 1, None), ("b", 2, 1, "compact,delete")],
        ),
        ("a:1:1;b:1:1", ";", [("a", 1, 1, None), ("b", 1, 1, None)]),
    ],
)
def test_topics_to_create_are_read(
    text: str, separator: str | None, topics: list[tuple[str, int, int, str | None]]
) -> None:
    variables = {"KAFKA_CREATE_TOPICS": text}
    if separator is not None:
        variables["KAFKA_CREATE_TOPICS_SEPARATOR"] = separator
    assert from_environment(**variables).topics_to_create == tuple(
        TopicToCreate(*topic) for topic in topics
    )


@pytest.mark.parametrize(
    "entry", ["a", "a:1", "a:x:1", "a:0:1", "a:1:1:shred", "a b:1:1", ":1:1", "..:1:1", "a:1:1:x:y"]
)
def test_a_topic_to_create_that_makes_no_sense_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="name:partitions:replicas"):
        from_environment(KAFKA_CREATE_TOPICS=f"good:1:1,{entry}")


def test_topic_names_are_kafkas() -> None:
    assert is_topic_name("a._-9")
    assert is_topic_name("_")
    assert is_topic_name("x" * 249)
    for name in ("", ".", "..", "x" * 250, "é", "a/b"):
        assert not is_topic_name(name)


# ---- shell commands in variables


def test_a_command_is_refused_unless_allowed() -> None:
    with pytest.raises(ConfigurationError, match="OTTLA_ALLOW_ENV_COMMANDS=1"):
        from_environment(HOSTNAME_COMMAND="echo h", KAFKA_LISTENERS="PLAINTEXT://:9092")


def test_a_command_is_nobodys_business_without_kafka_variables() -> None:
    assert from_environment(HOSTNAME_COMMAND="echo h").notes == ()


def test_an_allowed_command_gives_its_value() -> None:
    configuration = from_environment(
        OTTLA_ALLOW_ENV_COMMANDS="1",
        HOSTNAME_COMMAND="echo host7",
        PORT_COMMAND="echo 9999",
        BROKER_ID_COMMAND="echo 7",
        RACK_COMMAND="echo r1",
        KAFKA_LISTENERS="PLAINTEXT://:9092",
        KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://_{HOSTNAME_COMMAND}:_{PORT_COMMAND}",
    )
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9092, HostPort("host7", 9999))]
    assert (configuration.broker.node_id, configuration.broker.rack) == (7, "r1")
    older = from_environment(
        OTTLA_ALLOW_ENV_COMMANDS="1", HOSTNAME_COMMAND="echo host7", KAFKA_BROKER_RACK="r"
    )
    assert listeners_of(older) == [("PLAINTEXT", "", 9092, HostPort("host7", 9092))]


def test_a_command_that_fails_refuses_the_start() -> None:
    with pytest.raises(ConfigurationError, match="RACK_COMMAND: the command ended with 3"):
        from_environment(OTTLA_ALLOW_ENV_COMMANDS="1", RACK_COMMAND="exit 3", KAFKA_BROKER_ID="1")


# ---- files, and what an operator is told


def test_what_nothing_acts_on_yet_is_told() -> None:
    notes = resolve(
        ["ottla.http=off", "transactional.id.expiration.ms=3", "num.partitions=3"], {}, None
    ).notes
    assert notes == (
        Note(
            "INFO",
            "accepted, but not in this version yet: ottla.http, transactional.id.expiration.ms",
        ),
    )


def test_a_properties_file_starts_as_it_is(tmp_path: Path) -> None:
    text = (
        "# a single node\n"
        "process.roles=broker,controller\nnode.id=1\n"
        "controller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
        "inter.broker.listener.name=PLAINTEXT\n"
        "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n"
        "num.network.threads=3\nnum.io.threads=8\n"
        "log.dirs=/tmp/kraft-combined-logs\nlog.retention.hours=168\n"
        "inter.broker.protocol.version=3.9\n"
    )
    configuration = resolve(["num.partitions=3"], {}, written(tmp_path, text))
    assert listeners_of(configuration) == [("PLAINTEXT", "", 9092, HostPort("localhost", 9092))]
    assert configuration.notes == (
        Note(
            "INFO",
            "accepted, without a meaning here: inter.broker.protocol.version, num.io.threads, "
            "num.network.threads",
        ),
    )


def test_only_advertised_in_a_file_listens_as_kafka_does(tmp_path: Path) -> None:
    path = written(tmp_path, "advertised.listeners=PLAINTEXT://public:19092\n")
    assert listeners_of(resolve([], {}, path)) == [
        ("PLAINTEXT", "", 9092, HostPort("public", 19092))
    ]


def test_removed_names_in_a_file_are_read_with_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "host.name=10.0.0.5\nport=9095\n")
    configuration = resolve([], {}, path)
    assert listeners_of(configuration) == [
        ("PLAINTEXT", "10.0.0.5", 9095, HostPort("10.0.0.5", 9095))
    ]
    assert "host.name, port: removed from Kafka" in warnings_of(configuration)[0]


def test_an_unknown_name_is_a_warning_with_the_nearest_one(tmp_path: Path) -> None:
    path = written(tmp_path, "num.partition=3\nzzz=1\nconfluent.metrics.enable=true\n")
    configuration = resolve([], {}, path)
    assert warnings_of(configuration) == [
        f"{path}:1: num.partition is not a setting; did you mean num.partitions?",
        f"{path}:2: zzz is not a setting",
    ]
    assert configuration.unknown == ("num.partition", "zzz")


def test_what_an_operator_would_miss_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, "super.users=User:admin\nremote.log.storage.system.enable=false\n")
    assert warnings_of(resolve([], {}, path)) == [
        f"{path}:1: super.users is not in this version; ignored"
    ]


@pytest.mark.parametrize(
    ("overrides", "environ", "text", "said"),
    [
        ([], {}, "\nnum.partitions=zero\n", "server.properties:2: num.partitions=zero: a whole"),
        ([], {"KAFKA_NUM_PARTITIONS": "0"}, "", "KAFKA_NUM_PARTITIONS: num.partitions=0: a number"),
        ([], {"OTTLA_HTTP": "on"}, "", "OTTLA_HTTP: ottla.http=on: one of loopback, all, off"),
        (["num.partitions=x"], {}, "", "--override: num.partitions=x: a whole number of 32 bits"),
        (["num.partitions"], {}, "", "--override num.partitions: key=value is expected"),
        (["=3"], {}, "", "--override =3: key=value is expected"),
        ([], {}, "num.io.threads=0\n", "server.properties:1: num.io.threads=0: a number from 1"),
        ([], {}, "a=\\uXYZW\n", "server.properties: line 1: "),
        ([], {}, "port=http\n", "server.properties:1: port=http: a port number is expected"),
        ([], {"CLUSTER_ID": "a b"}, "", "CLUSTER_ID=a b: letters, digits"),
        ([], {"KAFKA_LISTENERS": "SSL://:9093"}, "", "KAFKA_LISTENERS: listener SSL has the"),
        ([], {}, "listener.name.x.ssl.client.auth=maybe\n", "(as listener.name.x.ssl.client.auth)"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place_the_key_the_value_and_what_is_expected(
    tmp_path: Path, overrides: list[str], environ: dict[str, str], text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(overrides, environ, written(tmp_path, text))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.properties"
    with pytest.raises(ConfigurationError, match=r"absent\.properties: the settings file cannot"):
        resolve([], {}, str(path))


def test_the_table_says_where_from_and_hides_secrets(tmp_path: Path) -> None:
    path = written(tmp_path, "ssl.key.password=hunter2\nnum.partitions=3\nmy.token=hunter2\n")
    environ = {"KAFKA_LISTENER_NAME_IN_PLAIN_SASL_JAAS_CONFIG": "x password=hunter2;"}
    rows = table(resolve(["broker.rack=r"], environ, path))
    assert [tuple(row) for row in rows] == [
        ("broker.rack", "r", "--override"),
        ("listener.name.in.plain.sasl.jaas.config", "(hidden)",
         "KAFKA_LISTENER_NAME_IN_PLAIN_SASL_JAAS_CONFIG"),
        ("my.token", "(hidden)", f"{path}:3"),
        ("num.partitions", "3", f"{path}:2"),
        ("ssl.key.password", "(hidden)", f"{path}:1"),
    ]  # fmt: skip
