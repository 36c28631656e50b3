"""librdkafka's mock cluster of one broker, until it is ended. Prints its port."""

import signal
import threading

from confluent_kafka import Producer

client = Producer({"test.mock.num.brokers": 1, "log_level": 0})
(only,) = client.list_topics(timeout=10).brokers.values()
print(only.port, flush=True)
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
ended.wait()
