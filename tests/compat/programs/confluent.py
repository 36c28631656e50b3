from confluent_kafka import Consumer, Producer

p = Producer({"bootstrap.servers": "localhost:9092"})


def delivery_report(err, msg):
    if err is not None:
        print(f"Message delivery failed: {err}")
    else:
        print(f"Message delivered to {msg.topic()} [{msg.partition()}]")


for data in ("first", "second", "third"):
    p.poll(0)
    p.produce("mytopic", data.encode("utf-8"), callback=delivery_report)
p.flush()

c = Consumer(
    {
        "bootstrap.servers": "localhost:9092",
        "group.id": "mygroup",
        "auto.offset.reset": "earliest",
    }
)
c.subscribe(["mytopic"])
seen = 0
while seen < 3:
    msg = c.poll(1.0)
    if msg is None:
        continue
    if msg.error():
        print(f"Consumer error: {msg.error()}")
        continue
    print(f"Received message: {msg.value().decode('utf-8')}")
    seen += 1
c.close()
