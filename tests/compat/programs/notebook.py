import threading
import time

import kafka
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

KAFKA_BOOTSTRAP_SERVERS = "localhost:9092"

producer = KafkaProducer(bootstrap_servers=KAFKA_BOOTSTRAP_SERVERS)
print("future:", producer.send(topic="my_awesome_topic", value=b"message 1"))
producer.send(topic="my_awesome_topic", key=b"some_key", value=b"message 2")
producer.send("my_awesome_topic", b"a new message")
producer.flush()
producer.close()

producer = KafkaProducer(bootstrap_servers=KAFKA_BOOTSTRAP_SERVERS)
producer.send("my_awesome_topic", b"from a new producer")
producer.flush()

admin = KafkaAdminClient(bootstrap_servers=KAFKA_BOOTSTRAP_SERVERS)
topic = NewTopic(name="a_partitioned_topic", num_partitions=2, replication_factor=1)
admin.create_topics(new_topics=[topic])
print("topics:", sorted(name for name in admin.list_topics() if name[0] != "_"))

# The same key always goes to the same partition; without one, all partitions get some.
keyed = {
    producer.send("a_partitioned_topic", key=b"k", value=b"%d" % n).get(10).partition
    for n in range(10)
}
keyless = {
    producer.send("a_partitioned_topic", b"%d" % n, partition=None).get(10).partition
    for n in range(50)
}
print("partitions:", len(keyed), len(keyless))

consumer = kafka.KafkaConsumer(
    "registred_user", group_id="my_favorite_group", bootstrap_servers=["localhost:9092"]
)
written = threading.Event()


def register() -> None:
    while not consumer.assignment():
        time.sleep(0.05)
    time.sleep(0.5)
    for number in range(5):
        producer.send("registred_user", b"user %d" % number)
        producer.flush()
    written.set()


side_by_side = threading.Thread(target=register)
side_by_side.start()
for seen, msg in enumerate(consumer, 1):
    print(msg.value)
    if seen == 5:
        break
side_by_side.join()
consumer.close()
