from pykafka import KafkaClient

client = KafkaClient(hosts="localhost:9092")
topic = client.topics["my.test"]
with topic.get_sync_producer() as producer:
    for i in range(4):
        producer.produce(("test message " + str(i**2)).encode())
consumer = topic.get_simple_consumer(
    consumer_group="simple", auto_commit_enable=False, consumer_timeout_ms=5000
)
seen = 0
for message in consumer:
    if message is not None:
        print(message.offset, message.value)
        seen += 1
        if seen == 4:
            break
consumer.commit_offsets()
consumer.stop()
balanced = topic.get_balanced_consumer(
    consumer_group="testgroup", managed=True, consumer_timeout_ms=15000
)
print("balanced", balanced.consume().value)
balanced.stop()
