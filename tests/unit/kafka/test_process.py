"""Forks and ends of processes, in processes of their own."""

import subprocess
import sys
import time

import pytest

from ottla.kafka.consumer import KafkaConsumer
from ottla.kafka.structs import TopicPartition

SECONDS_MAX = 60

FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from ottla.kafka import KafkaProducer
from ottla.kafka.errors import IllegalStateError
bootstrap, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=200)
before = producer.send(topic, b"parent, before")
child = os.fork()
if child == 0:
    try:
        before.get(1)
    except IllegalStateError:
        pass
    else:
        os._exit(3)
    producer.send(topic, b"child").get(10)
    producer.close()
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 0, code
producer.send(topic, b"parent, after").get(10)
before.get(10)
"""

CONSUMED_IN_CHILD = """
import os, sys, warnings
warnings.simplefilter("ignore")
from ottla.kafka import KafkaConsumer, KafkaProducer
bootstrap, topic = sys.argv[1:]
with KafkaProducer(bootstrap_servers=bootstrap) as producer:
    producer.send(topic, b"v")
consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
assert next(iter(consumer)).value == b"v"
child = os.fork()
if child == 0:
    found = next(iter(consumer)).value  # a consumer of its own, from the beginning
    os._exit(0 if found == b"v" else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert consumer.assignment()
"""

ENDED = """
import sys
from ottla.kafka import KafkaProducer
bootstrap, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=10_000)
for number in range(100):
    producer.send(topic, b"%d" % number)
"""

LEFT_BEHIND = """
import asyncio, sys
from ottla.kafka import KafkaProducer
from ottla.kafka import loop
loop.EXIT_S_MAX = 0.2
bootstrap, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=bootstrap)
producer.send(topic, b"v").get(10)

async def never(*_, **__):
    await asyncio.sleep(3600)

# Nothing leaves any more.
client = producer._line.session.client
client.post, client.ready = lambda *_, **__: None, never
for number in range(7):
    producer.send(topic, b"lost")
"""


def ran(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def values(bootstrap: str, topic: str) -> list[bytes | None]:
    with KafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        place = TopicPartition(topic, 0)
        end = consumer.end_offsets([place])[place]
        consumer.assign([place])
        consumer.seek(place, 0)
        found: list[bytes | None] = []
        deadline = time.monotonic() + 10
        while consumer.position(place) < end and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                found += [record.value for record in records]
        return found


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_sends_what_is_its_own_and_nothing_twice(bootstrap: str, topic: str) -> None:
    done = ran(FORKED, bootstrap, topic)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(values(bootstrap, topic)) == [b"child", b"parent, after", b"parent, before"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_reads_as_a_consumer_of_its_own(bootstrap: str, topic: str) -> None:
    done = ran(CONSUMED_IN_CHILD, bootstrap, topic)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_process_that_ends_has_sent_what_it_had(bootstrap: str, topic: str) -> None:
    done = ran(ENDED, bootstrap, topic)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert values(bootstrap, topic) == [b"%d" % number for number in range(100)]


def test_what_could_not_be_sent_at_the_end_is_said(bootstrap: str, topic: str) -> None:
    done = ran(LEFT_BEHIND, bootstrap, topic)
    assert done.returncode == 0
    assert f"not delivered when the producer was closed: 7 of topic '{topic}'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
