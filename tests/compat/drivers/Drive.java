// Apache Kafka's own Java producer, consumer and admin client (the contract is in contract.py).

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Drive {
    private static final long CONSUME_MS_MAX = 15_000;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long LEAVE_MS_MAX = 15_000;
    private final String bootstrap;
    private final Map<String, Member> members = new HashMap<>();

    private Drive(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        Drive drive = new Drive(arguments[0]);
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            answers.println(JSON.writeValueAsString(drive.answer(JSON.readTree(line))));
        }
    }

    private ObjectNode answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            answer.set("ok", JSON.valueToTree(perform(request)));
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            Errors error = Errors.forException(cause);
            boolean outOfRange = cause instanceof OffsetOutOfRangeException;
            if (outOfRange || cause instanceof ApiException && error.code() > 0) {
                ObjectNode refused = answer.putObject("refused");
                refused.put("code", outOfRange ? 1 : error.code());
                refused.put("message", String.valueOf(cause.getMessage()));
            } else {
                StringWriter trace = new StringWriter();
                thrown.printStackTrace(new PrintWriter(trace));
                answer.put("failed", trace.toString());
            }
        }
        return answer;
    }

    private Object perform(JsonNode request) throws Exception {
        switch (request.get("op").asText()) {
            case "create": return create(request);
            case "topics": return topics();
            case "partitions": return partitions(request);
            case "delete": return delete(request);
            case "produce": return produce(request);
            case "consume": return consume(request);
            case "times": return times(request);
            case "watermarks": return watermarks(request);
            case "delete_records": return deleteRecords(request);
            case "join": return join(request);
            case "given": return members.get(request.get("member").asText()).given();
            case "leave": return members.remove(request.get("member").asText()).leave();
            default: throw new IllegalArgumentException(request.get("op").asText());
        }
    }

    private Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private Object create(JsonNode request) throws Exception {
        Map<String, String> configs = new HashMap<>();
        request.get("configs").fields().forEachRemaining(
                entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        NewTopic topic = new NewTopic(
                request.get("topic").asText(), request.get("partitions").asInt(), (short) 1);
        try (Admin admin = admin()) {
            admin.createTopics(List.of(topic.configs(configs))).all().get();
        }
        return null;
    }

    private Object topics() throws Exception {
        try (Admin admin = admin()) {
            return new TreeSet<>(admin.listTopics().names().get());
        }
    }

    private Object partitions(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        try (Admin admin = admin()) {
            TreeSet<Integer> found = new TreeSet<>();
            for (TopicPartitionInfo info : admin.describeTopics(List.of(topic))
                    .allTopicNames().get().get(topic).partitions()) {
                found.add(info.partition());
            }
            return found;
        }
    }

    private Object delete(JsonNode request) throws Exception {
        try (Admin admin = admin()) {
            admin.deleteTopics(List.of(request.get("topic").asText())).all().get();
        }
        return null;
    }

    private Object produce(JsonNode request) throws Exception {
        Map<String, Object> options = new HashMap<>();
        options.put("bootstrap.servers", bootstrap);
        options.put("compression.type", request.get("codec").asText());
        options.put("linger.ms", 5);
        options.put("delivery.timeout.ms", 30_000);
        options.put("request.timeout.ms", 20_000);
        if (request.has("idempotent")) {
            options.put("enable.idempotence", request.get("idempotent").asBoolean());
        }
        if (request.has("batch_bytes")) {
            options.put("batch.size", request.get("batch_bytes").asInt());
        }
        if (request.has("request_bytes")) {
            options.put("max.request.size", request.get("request_bytes").asInt());
        }
        String topic = request.get("topic").asText();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        ArrayNode placed = JSON.createArrayNode();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                options, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (JsonNode record : request.get("records")) {
                List<Header> headers = new ArrayList<>();
                for (JsonNode header : record.get("headers")) {
                    headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
                }
                JsonNode timestamp = record.get("timestamp");
                sent.add(producer.send(new ProducerRecord<>(
                        topic,
                        record.get("partition").asInt(),
                        timestamp.isNull() ? null : timestamp.asLong(),
                        bytes(record.get("key")),
                        bytes(record.get("value")),
                        headers)));
            }
            producer.flush();
            for (Future<RecordMetadata> future : sent) {
                RecordMetadata metadata = future.get();
                ObjectNode one = placed.addObject();
                one.put("partition", metadata.partition()).put("offset", metadata.offset());
            }
        }
        return placed;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        return new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers", bootstrap,
                        "enable.auto.commit", false,
                        "auto.offset.reset", "none"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
    }

    private Object consume(JsonNode request) {
        String topic = request.get("topic").asText();
        Map<TopicPartition, Long> starts = new HashMap<>();
        for (Iterator<Map.Entry<String, JsonNode>> all = request.get("starts").fields();
                all.hasNext(); ) {
            Map.Entry<String, JsonNode> start = all.next();
            starts.put(
                    new TopicPartition(topic, Integer.parseInt(start.getKey())),
                    start.getValue().asLong());
        }
        ArrayNode records = JSON.createArrayNode();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(starts.keySet());
            starts.forEach(consumer::seek);
            long deadline = System.currentTimeMillis() + CONSUME_MS_MAX;
            while (records.size() < request.get("count").asInt()
                    && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    records.add(seen(record));
                }
            }
        }
        return records;
    }

    private Object join(JsonNode request) {
        Map<String, Object> options = new HashMap<>();
        options.put("bootstrap.servers", bootstrap);
        options.put("group.id", request.get("group").asText());
        options.put("enable.auto.commit", false);
        options.put("auto.offset.reset", "earliest");
        options.put("session.timeout.ms", 10_000);
        options.put("heartbeat.interval.ms", 500);
        options.put(
                "partition.assignment.strategy",
                request.get("strategy").asText().equals("range")
                        ? "org.apache.kafka.clients.consumer.RangeAssignor"
                        : "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        if (!request.get("instance").isNull()) {
            options.put("group.instance.id", request.get("instance").asText());
        }
        Member member = new Member(options, request.get("topic").asText());
        members.put(request.get("member").asText(), member);
        member.start();
        return null;
    }

    /** A consumer in a group, reading and committing on its own thread until it shall leave. */
    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final TreeSet<Integer> partitions = new TreeSet<>();
        private final List<List<Long>> records = new ArrayList<>();
        private final List<List<Long>> pending = new ArrayList<>();
        private int rebalances;
        private Throwable failure;
        private volatile boolean leaving;

        Member(Map<String, Object> options, String topic) {
            consumer = new KafkaConsumer<>(
                    options, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer.subscribe(List.of(topic), this);
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                while (!leaving) {
                    for (ConsumerRecord<byte[], byte[]> one : consumer.poll(Duration.ofMillis(100))) {
                        pending.add(List.of((long) one.partition(), one.offset()));
                    }
                    if (!pending.isEmpty() && committed()) {
                        synchronized (this) {
                            records.addAll(pending);
                            pending.clear();
                        }
                    }
                }
            } catch (Throwable thrown) {
                failure = thrown;
            } finally {
                consumer.close();
            }
        }

        private boolean committed() {
            try {
                consumer.commitSync();
                return true;
            } catch (CommitFailedException | RebalanceInProgressException takenAway) {
                return false; // committed with the next records, or another member reads it
            }
        }

        @Override
        public synchronized void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            assigned.forEach(one -> partitions.add(one.partition()));
            rebalances++;
        }

        @Override
        public synchronized void onPartitionsRevoked(Collection<TopicPartition> revoked) {
            revoked.forEach(one -> partitions.remove(one.partition()));
            pending.removeIf(one -> revoked.stream().anyMatch(gone -> gone.partition() == one.get(0)));
        }

        synchronized Object given() throws Exception {
            if (failure != null) {
                throw new IllegalStateException(failure);
            }
            return Map.of(
                    "partitions", new ArrayList<>(partitions),
                    "records", new ArrayList<>(records),
                    "rebalances", rebalances);
        }

        Object leave() throws Exception {
            leaving = true;
            join(LEAVE_MS_MAX);
            return given();
        }
    }

    private static ObjectNode seen(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode seen = JSON.createObjectNode();
        seen.put("partition", record.partition());
        seen.put("offset", record.offset());
        seen.put("timestamp", record.timestamp());
        seen.put("key", text(record.key()));
        seen.put("value", text(record.value()));
        ArrayNode headers = seen.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(text(header.value()));
        }
        return seen;
    }

    private Object times(JsonNode request) {
        TopicPartition partition = partition(request);
        ArrayNode found = JSON.createArrayNode();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            for (JsonNode timestamp : request.get("timestamps")) {
                Map<TopicPartition, OffsetAndTimestamp> answer =
                        consumer.offsetsForTimes(Map.of(partition, timestamp.asLong()));
                Optional<OffsetAndTimestamp> one = Optional.ofNullable(answer.get(partition));
                if (one.isEmpty()) {
                    found.addNull();
                } else {
                    found.addObject()
                            .put("offset", one.get().offset())
                            .put("timestamp", one.get().timestamp());
                }
            }
        }
        return found;
    }

    private Object watermarks(JsonNode request) {
        TopicPartition partition = partition(request);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            long first = consumer.beginningOffsets(List.of(partition)).get(partition);
            return List.of(first, consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private Object deleteRecords(JsonNode request) throws Exception {
        TopicPartition partition = partition(request);
        RecordsToDelete before = RecordsToDelete.beforeOffset(request.get("before").asLong());
        try (Admin admin = admin()) {
            return admin.deleteRecords(Map.of(partition, before))
                    .lowWatermarks().get(partition).get().lowWatermark();
        }
    }

    private static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String text(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }
}
