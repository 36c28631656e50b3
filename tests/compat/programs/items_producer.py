from json import dumps

from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers=["localhost:9092"], value_serializer=lambda x: dumps(x).encode("utf-8")
)
for number in range(20):
    data = {"item": number}
    producer.send("items-list", value=data)
producer.flush()
