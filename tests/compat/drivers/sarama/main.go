// Sarama told to speak as Kafka 0.10 or older (the contract is in contract.py): `drive_sarama BOOTSTRAP
// version=0.10.0.0`. Assigned partitions only.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

type record struct {
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Timestamp *int64     `json:"timestamp"`
	Key       *string    `json:"key"`
	Value     *string    `json:"value"`
	Headers   [][]string `json:"headers"`
}

type request struct {
	Op      string           `json:"op"`
	Topic   string           `json:"topic"`
	Codec   string           `json:"codec"`
	Records []record         `json:"records"`
	Starts  map[string]int64 `json:"starts"`
	Count   int              `json:"count"`
}

func decoded(text *string) sarama.Encoder {
	if text == nil {
		return nil
	}
	data, _ := base64.StdEncoding.DecodeString(*text)
	return sarama.ByteEncoder(data)
}

func encoded(data []byte) *string {
	if data == nil {
		return nil
	}
	text := base64.StdEncoding.EncodeToString(data)
	return &text
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
			Topic: asked.Topic, Partition: one.Partition, Key: decoded(one.Key), Value: decoded(one.Value),
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
				seen := record{one.Partition, one.Offset, nil, encoded(one.Key), encoded(one.Value), [][]string{}}
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
	operations := map[string]func(string, *sarama.Config, request) (any, error){
		"produce": produce, "consume": consume,
	}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		answer := map[string]any{}
		if err := json.Unmarshal(line, &asked); err != nil {
			answer["failed"] = err.Error()
		} else if operation := operations[asked.Op]; operation == nil {
			answer["cannot"] = "has no " + asked.Op
		} else if value, err := operation(os.Args[1], config, asked); err != nil {
			answer["failed"] = err.Error()
		} else {
			answer["ok"] = value
		}
		text, _ := json.Marshal(answer)
		fmt.Println(string(text))
	}
}
