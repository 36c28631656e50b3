from json import loads

from kafka import KafkaConsumer

consumer = KafkaConsumer(
    "items-list",
    bootstrap_servers=["localhost:9092"],
    auto_offset_reset="earliest",
    enable_auto_commit=True,
    group_id="items-group",
    consumer_timeout_ms=1000,
    value_deserializer=lambda x: loads(x.decode("utf-8")),
)
for message in consumer:
    print(message.value)
consumer.close()
