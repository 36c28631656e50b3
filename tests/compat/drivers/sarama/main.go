// Sarama told to speak as Kafka 0.10 or older (the contract is in contract.py): `drive_sarama BOOTSTRAP
// version=0.10.0.0`. Assigned partitions only.
package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

const consumeMax = 15 * time.Second

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
}

type request struct {
	Topic   string           `json:"topic"`
	Codec   string           `json:"codec"`
	Records []record         `json:"records"`
	Starts  map[string]int64 `json:"starts"`
	Count   int              `json:"count"`
}

func encoder(text *string) sarama.Encoder {
	if text == nil {
		return nil
	}
	return sarama.ByteEncoder(decoded(text))
}

func produce(bootstrap string, config *sarama.Config, asked request) (any, error) {
	config.Producer.Compression = codecs[asked.Codec]
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, one := range asked.Records {
		message := &sarama.ProducerMessage{
			Topic: asked.Topic, Partition: one.Partition, Key: encoder(one.Key), Value: encoder(one.Value),
		}
		if one.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		return nil, err
	}
	var placed []map[string]int64
	for _, one := range messages {
		placed = append(placed, map[string]int64{"partition": int64(one.Partition), "offset": one.Offset})
	}
	return placed, nil
}

func consume(bootstrap string, config *sarama.Config, asked request) (any, error) {
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	records := []record{}
	deadline := time.After(consumeMax)
	for text, start := range asked.Starts {
		number, _ := strconv.Atoi(text)
		partition, err := consumer.ConsumePartition(asked.Topic, int32(number), start)
		if err != nil {
			return nil, err
		}
		defer partition.AsyncClose()
		for done := false; !done && len(records) < asked.Count; {
			select {
			case one := <-partition.Messages():
				seen := record{one.Partition, one.Offset, nil, encoded(one.Key), encoded(one.Value), [][2]*string{}}
				if !one.Timestamp.IsZero() {
					stamp := one.Timestamp.UnixMilli()
					seen.Timestamp = &stamp
				}
				records = append(records, seen)
			case <-deadline:
				done = true
			}
		}
	}
	return records, nil
}

func main() {
	config := sarama.NewConfig()
	for _, option := range os.Args[2:] {
		version, err := sarama.ParseKafkaVersion(strings.TrimPrefix(option, "version="))
		if err != nil {
			panic(err)
		}
		config.Version = version
	}
	config.ApiVersionsRequest = false
	operations := map[string]func(request) (any, error){}
	for name, does := range map[string]func(string, *sarama.Config, request) (any, error){
		"produce": produce, "consume": consume,
	} {
		operations[name] = func(asked request) (any, error) { return does(os.Args[1], config, asked) }
	}
	// No check of old clients expects a refusal.
	serve(operations, func(error) (int16, bool) { return 0, false })
}
