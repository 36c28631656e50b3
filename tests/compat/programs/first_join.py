import time

from kafka import KafkaConsumer

consumer = KafkaConsumer(group_id="first-group", bootstrap_servers="localhost:9092")
consumer.topics()
began = time.monotonic()
consumer.subscribe(["first"])
while not consumer.assignment():
    consumer.poll(timeout_ms=50)
print("joined after", round(time.monotonic() - began, 3), "s")
consumer.close()
