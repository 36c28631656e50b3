import time

from kafka import ConsumerRebalanceListener, KafkaConsumer


class Joined(ConsumerRebalanceListener):
    at = None

    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        if assigned and Joined.at is None:
            Joined.at = time.monotonic()


consumer = KafkaConsumer(group_id="first-group", bootstrap_servers="localhost:9092")
consumer.topics()
began = time.monotonic()
consumer.subscribe(["first"], listener=Joined())
while Joined.at is None:
    # One long poll, not many short ones: kafka-python 3.0.12 forgets an assignment that arrives just
    # after the poll that asked for it gave up, and then neither joins again nor sends a heartbeat.
    consumer.poll(timeout_ms=1000)
print("joined after", round(Joined.at - began, 3), "s")
consumer.close()
