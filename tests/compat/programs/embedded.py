from threading import Thread

from kafka import KafkaConsumer, KafkaProducer

from ottla import Broker

broker_1 = Broker("127.0.0.1", 9092)
broker_2 = Broker("127.0.0.1", 9093)
threads = [Thread(target=broker_1.start), Thread(target=broker_2.start)]
for thread in threads:
    thread.start()
for broker in (broker_1, broker_2):
    broker.wait_until_ready()

for address in ("127.0.0.1:9092", "127.0.0.1:9093"):
    producer = KafkaProducer(bootstrap_servers=address)
    producer.send("greetings", b"hello, " + address.encode())
    producer.flush()
    producer.close()

for address in ("127.0.0.1:9092", "127.0.0.1:9093"):
    consumer = KafkaConsumer(
        "greetings",
        bootstrap_servers=address,
        auto_offset_reset="earliest",
        consumer_timeout_ms=1000,
    )
    for message in consumer:
        print(message.value.decode())
    consumer.close()

broker_1.stop()
broker_2.stop()
for thread in threads:
    thread.join()

with Broker(port=0) as broker:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    print("offset", producer.send("greetings", b"hello").get(10).offset)
    producer.close()
print("stopped")
