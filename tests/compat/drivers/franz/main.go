// franz-go (the contract is in contract.py).
package main

import (
	"context"
	"errors"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	askMax     = 20 * time.Second
	consumeMax = 15 * time.Second
	leaveMax   = 15 * time.Second
	session    = 10 * time.Second
	heartbeat  = 500 * time.Millisecond
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var strategies = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

type request struct {
	Topic        string            `json:"topic"`
	Partition    int32             `json:"partition"`
	Partitions   int32             `json:"partitions"`
	Configs      map[string]string `json:"configs"`
	Codec        string            `json:"codec"`
	Records      []record          `json:"records"`
	Idempotent   *bool             `json:"idempotent"`
	BatchBytes   int32             `json:"batch_bytes"`
	RequestBytes int32             `json:"request_bytes"`
	Starts       map[string]int64  `json:"starts"`
	Count        int               `json:"count"`
	Timestamps   []int64           `json:"timestamps"`
	Before       int64             `json:"before"`
	Member       string            `json:"member"`
	Group        string            `json:"group"`
	Strategy     string            `json:"strategy"`
	Instance     *string           `json:"instance"`
}

type operation func(context.Context, string, request) (any, error)

// ---- topics

func withAdmin(bootstrap string, use func(*kadm.Client) (any, error)) (any, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return use(kadm.NewClient(client))
}

func create(ctx context.Context, bootstrap string, asked request) (any, error) {
	configs := map[string]*string{}
	for name, value := range asked.Configs {
		configs[name] = kadm.StringPtr(value)
	}
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		_, err := admin.CreateTopic(ctx, asked.Partitions, 1, configs, asked.Topic)
		return nil, err
	})
}

func topics(ctx context.Context, bootstrap string, asked request) (any, error) {
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		found, err := admin.ListTopics(ctx)
		return found.Names(), err
	})
}

func partitions(ctx context.Context, bootstrap string, asked request) (any, error) {
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		found, err := admin.ListTopics(ctx, asked.Topic)
		if err == nil {
			err = found.Error()
		}
		return found[asked.Topic].Partitions.Numbers(), err
	})
}

func remove(ctx context.Context, bootstrap string, asked request) (any, error) {
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		_, err := admin.DeleteTopic(ctx, asked.Topic)
		return nil, err
	})
}

func alter(ctx context.Context, bootstrap string, asked request) (any, error) {
	changes := []kadm.AlterConfig{}
	for name, value := range asked.Configs {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: kadm.StringPtr(value)})
	}
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		answers, err := admin.AlterTopicConfigs(ctx, changes, asked.Topic)
		for _, one := range answers {
			err = errors.Join(err, one.Err)
		}
		return nil, err
	})
}

// ---- records

func produce(ctx context.Context, bootstrap string, asked request) (any, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[asked.Codec]),
	}
	if asked.Idempotent != nil && !*asked.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	if asked.BatchBytes != 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(asked.BatchBytes))
	} else if asked.RequestBytes != 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(asked.RequestBytes))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	sent := []*kgo.Record{}
	for _, one := range asked.Records {
		made := &kgo.Record{
			Topic: asked.Topic, Partition: one.Partition, Key: decoded(one.Key), Value: decoded(one.Value),
		}
		if one.Timestamp != nil {
			made.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			made.Headers = append(made.Headers, kgo.RecordHeader{Key: *header[0], Value: decoded(header[1])})
		}
		sent = append(sent, made)
	}
	if err := client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return nil, err
	}
	placed := []map[string]int64{}
	for _, one := range sent {
		placed = append(placed, map[string]int64{"partition": int64(one.Partition), "offset": one.Offset})
	}
	return placed, nil
}

func consume(ctx context.Context, bootstrap string, asked request) (any, error) {
	starts := map[int32]kgo.Offset{}
	for text, offset := range asked.Starts {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, err
		}
		starts[int32(number)] = kgo.NewOffset().At(offset)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{asked.Topic: starts}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	limited, done := context.WithTimeout(ctx, consumeMax)
	defer done()
	records := []record{}
	for len(records) < asked.Count && limited.Err() == nil {
		fetches := client.PollFetches(limited)
		if limited.Err() == nil && fetches.Err() != nil {
			return nil, fetches.Err()
		}
		fetches.EachRecord(func(one *kgo.Record) {
			stamp := one.Timestamp.UnixMilli()
			seen := record{one.Partition, one.Offset, &stamp, encoded(one.Key), encoded(one.Value), [][2]*string{}}
			for _, header := range one.Headers {
				seen.Headers = append(seen.Headers, [2]*string{&header.Key, encoded(header.Value)})
			}
			records = append(records, seen)
		})
	}
	return records, nil
}

func times(ctx context.Context, bootstrap string, asked request) (any, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found := []map[string]int64{}
	for _, timestamp := range asked.Timestamps {
		// kadm would put the partition's end where nothing is that late.
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = asked.Partition, timestamp
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic, topic.Partitions = asked.Topic, append(topic.Partitions, partition)
		wanted := kmsg.NewPtrListOffsetsRequest()
		wanted.Topics = append(wanted.Topics, topic)
		answer, err := wanted.RequestWith(ctx, client)
		if err != nil {
			return nil, err
		}
		one := answer.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(one.ErrorCode); err != nil {
			return nil, err
		}
		if one.Offset < 0 {
			found = append(found, nil)
		} else {
			found = append(found, map[string]int64{"offset": one.Offset, "timestamp": one.Timestamp})
		}
	}
	return found, nil
}

func watermarks(ctx context.Context, bootstrap string, asked request) (any, error) {
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		starts, err := admin.ListStartOffsets(ctx, asked.Topic)
		if err != nil {
			return nil, err
		}
		ends, err := admin.ListEndOffsets(ctx, asked.Topic)
		if err != nil {
			return nil, err
		}
		first, _ := starts.Lookup(asked.Topic, asked.Partition)
		end, _ := ends.Lookup(asked.Topic, asked.Partition)
		return []int64{first.Offset, end.Offset}, errors.Join(first.Err, end.Err)
	})
}

func deleteRecords(ctx context.Context, bootstrap string, asked request) (any, error) {
	before := kadm.Offsets{}
	before.AddOffset(asked.Topic, asked.Partition, asked.Before, -1)
	return withAdmin(bootstrap, func(admin *kadm.Client) (any, error) {
		answers, err := admin.DeleteRecords(ctx, before)
		if err != nil {
			return nil, err
		}
		one, _ := answers.Lookup(asked.Topic, asked.Partition)
		return one.LowWatermark, one.Err
	})
}

// ---- groups

type place struct {
	partition int32
	offset    int64
}

// member is a consumer in a group. A rebalance waits while it handles what it polled; what it could not
// commit all the same waits in pending until its partition is gone.
type member struct {
	mutex      sync.Mutex
	client     *kgo.Client
	topic      string
	partitions map[int32]bool
	rebalances int
	pending    []place
	records    [][2]int64
	failure    error
	end        context.CancelFunc
	ended      chan struct{}
}

var members = map[string]*member{}

func join(_ context.Context, bootstrap string, asked request) (any, error) {
	one := &member{topic: asked.Topic, partitions: map[int32]bool{}, ended: make(chan struct{})}
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(asked.Group),
		kgo.ConsumeTopics(asked.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(strategies[asked.Strategy]),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(heartbeat),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(one.assigned),
		kgo.OnPartitionsRevoked(one.lost),
		kgo.OnPartitionsLost(one.lost),
	}
	if asked.Instance != nil {
		options = append(options, kgo.InstanceID(*asked.Instance))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	one.client = client
	ctx, end := context.WithCancel(context.Background())
	one.end = end
	members[asked.Member] = one
	go one.read(ctx)
	return nil, nil
}

func (one *member) assigned(_ context.Context, _ *kgo.Client, given map[string][]int32) {
	one.mutex.Lock()
	defer one.mutex.Unlock()
	one.rebalances++
	for _, partition := range given[one.topic] {
		one.partitions[partition] = true
	}
}

func (one *member) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	one.mutex.Lock()
	defer one.mutex.Unlock()
	for _, partition := range gone[one.topic] {
		delete(one.partitions, partition)
	}
	kept := one.pending[:0]
	for _, at := range one.pending {
		if one.partitions[at.partition] {
			kept = append(kept, at)
		}
	}
	one.pending = kept
}

func (one *member) read(ctx context.Context) {
	defer close(one.ended)
	for ctx.Err() == nil {
		fetches := one.client.PollFetches(ctx)
		one.mutex.Lock()
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				one.failure = errors.Join(one.failure, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			one.pending = append(one.pending, place{record.Partition, record.Offset})
		})
		pending := append([]place(nil), one.pending...)
		one.mutex.Unlock()
		if len(pending) > 0 && one.commit(pending) {
			one.mutex.Lock()
			for _, at := range pending {
				one.records = append(one.records, [2]int64{int64(at.partition), at.offset})
			}
			one.pending = nil
			one.mutex.Unlock()
		}
		one.client.AllowRebalance()
	}
	one.client.CloseAllowingRebalance()
}

// commit says whether the broker took all of it.
func (one *member) commit(pending []place) bool {
	next := map[int32]kgo.EpochOffset{}
	for _, at := range pending {
		next[at.partition] = kgo.EpochOffset{Epoch: -1, Offset: at.offset + 1}
	}
	ctx, done := context.WithTimeout(context.Background(), askMax)
	defer done()
	taken := true
	one.client.CommitOffsetsSync(
		ctx, map[string]map[int32]kgo.EpochOffset{one.topic: next},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			taken = err == nil
			if taken {
				for _, topic := range answer.Topics {
					for _, partition := range topic.Partitions {
						taken = taken && partition.ErrorCode == 0
					}
				}
			}
		},
	)
	return taken
}

func (one *member) told() (any, error) {
	one.mutex.Lock()
	defer one.mutex.Unlock()
	numbers := []int{}
	for partition := range one.partitions {
		numbers = append(numbers, int(partition))
	}
	sort.Ints(numbers)
	records := append([][2]int64{}, one.records...)
	return map[string]any{"partitions": numbers, "records": records, "rebalances": one.rebalances}, one.failure
}

func given(_ context.Context, _ string, asked request) (any, error) {
	return members[asked.Member].told()
}

func leave(_ context.Context, _ string, asked request) (any, error) {
	one := members[asked.Member]
	delete(members, asked.Member)
	one.end()
	select {
	case <-one.ended:
	case <-time.After(leaveMax):
		return nil, errors.New("it did not leave")
	}
	return one.told()
}

// ---- the loop

func code(err error) (int16, bool) {
	var refused *kerr.Error
	if errors.As(err, &refused) {
		return refused.Code, true
	}
	return 0, false
}

func main() {
	operations := map[string]func(request) (any, error){}
	for name, does := range map[string]operation{
		"create": create, "topics": topics, "partitions": partitions, "delete": remove, "alter": alter,
		"produce": produce, "consume": consume, "times": times, "watermarks": watermarks,
		"delete_records": deleteRecords, "join": join, "given": given, "leave": leave,
	} {
		operations[name] = func(asked request) (any, error) {
			ctx, done := context.WithTimeout(context.Background(), 2*askMax)
			defer done()
			return does(ctx, os.Args[1], asked)
		}
	}
	serve(operations, code)
}
