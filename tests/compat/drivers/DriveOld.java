// The Java producer and consumer of Kafka 0.9 to 0.11 (the contract is in contract.py): they have no
// admin client, and the oldest no timestamps. Compiled and run with the jar of each version.

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
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class DriveOld {
    private static final long CONSUME_MS_MAX = 15_000;
    private static final long LEAVE_MS_MAX = 15_000;
    private static final ObjectMapper JSON = new ObjectMapper();
    private final String bootstrap;
    private final Map<String, Member> members = new HashMap<>();

    private DriveOld(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        DriveOld drive = new DriveOld(arguments[0]);
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer.set("ok", JSON.valueToTree(drive.perform(JSON.readTree(line))));
            } catch (Throwable thrown) {
                StringWriter trace = new StringWriter();
                thrown.printStackTrace(new PrintWriter(trace));
                answer.put("failed", trace.toString());
            }
            answers.println(JSON.writeValueAsString(answer));
        }
    }

    private Object perform(JsonNode request) throws Exception {
        switch (request.get("op").asText()) {
            case "produce": return produce(request);
            case "consume": return consume(request);
            case "join": return join(request);
            case "given": return members.get(request.get("member").asText()).given();
            case "leave": return members.remove(request.get("member").asText()).leave();
            default: throw new IllegalArgumentException(request.get("op").asText());
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode wanted)
            throws Exception {
        int partition = wanted.get("partition").asInt();
        byte[] key = bytes(wanted.get("key"));
        byte[] value = bytes(wanted.get("value"));
        JsonNode timestamp = wanted.get("timestamp");
        if (timestamp.isNull()) {
            return new ProducerRecord<>(topic, partition, key, value);
        }
        // 0.9 has no such constructor.
        @SuppressWarnings("unchecked")
        ProducerRecord<byte[], byte[]> record =
                (ProducerRecord<byte[], byte[]>) ProducerRecord.class
                        .getConstructor(
                                String.class, Integer.class, Long.class, Object.class, Object.class)
                        .newInstance(topic, partition, timestamp.asLong(), key, value);
        return record;
    }

    private Object produce(JsonNode request) throws Exception {
        Map<String, Object> options = new HashMap<>();
        options.put("bootstrap.servers", bootstrap);
        options.put("compression.type", request.get("codec").asText());
        options.put("linger.ms", 5);
        options.put("acks", "all");
        String topic = request.get("topic").asText();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        ArrayNode placed = JSON.createArrayNode();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                options, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (JsonNode wanted : request.get("records")) {
                sent.add(producer.send(record(topic, wanted)));
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

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        Map<String, Object> options = new HashMap<>(more);
        options.put("bootstrap.servers", bootstrap);
        options.put("enable.auto.commit", false);
        return new KafkaConsumer<>(
                options, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private Object consume(JsonNode request) throws Exception {
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
        try (KafkaConsumer<byte[], byte[]> consumer =
                consumer(Map.of("auto.offset.reset", "none"))) {
            // 0.9 takes a list, later ones any collection.
            assignment(consumer, "assign", new ArrayList<>(starts.keySet()));
            for (Map.Entry<TopicPartition, Long> start : starts.entrySet()) {
                consumer.seek(start.getKey(), start.getValue());
            }
            long deadline = System.currentTimeMillis() + CONSUME_MS_MAX;
            while (records.size() < request.get("count").asInt()
                    && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(200)) {
                    records.add(seen(record));
                }
            }
        }
        return records;
    }

    private static void assignment(Object consumer, String name, Object... arguments)
            throws Exception {
        for (java.lang.reflect.Method method : KafkaConsumer.class.getMethods()) {
            Class<?>[] types = method.getParameterTypes();
            boolean fits = method.getName().equals(name) && types.length == arguments.length;
            for (int at = 0; fits && at < types.length; at++) {
                fits = types[at].isInstance(arguments[at]);
            }
            if (fits) {
                method.invoke(consumer, arguments);
                return;
            }
        }
        throw new NoSuchMethodException(name);
    }

    private static ObjectNode seen(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode seen = JSON.createObjectNode();
        seen.put("partition", record.partition());
        seen.put("offset", record.offset());
        try {
            seen.put("timestamp", (Long) ConsumerRecord.class.getMethod("timestamp").invoke(record));
        } catch (ReflectiveOperationException none) {
            seen.putNull("timestamp"); // 0.9
        }
        seen.put("key", text(record.key()));
        seen.put("value", text(record.value()));
        seen.putArray("headers");
        return seen;
    }

    private Object join(JsonNode request) throws Exception {
        Map<String, Object> options = new HashMap<>();
        options.put("group.id", request.get("group").asText());
        options.put("auto.offset.reset", "earliest");
        options.put("session.timeout.ms", 10_000);
        options.put("heartbeat.interval.ms", 500);
        Member member = new Member(consumer(options), request.get("topic").asText());
        members.put(request.get("member").asText(), member);
        member.start();
        return null;
    }

    /** A consumer in a group, reading and committing on its own thread until it shall leave. */
    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final TreeSet<Integer> partitions = new TreeSet<>();
        private final List<List<Long>> records = new ArrayList<>();
        private int rebalances;
        private Throwable failure;
        private volatile boolean leaving;

        Member(KafkaConsumer<byte[], byte[]> consumer, String topic) throws Exception {
            this.consumer = consumer;
            assignment(consumer, "subscribe", new ArrayList<>(List.of(topic)), this);
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                while (!leaving) {
                    List<List<Long>> read = new ArrayList<>();
                    for (ConsumerRecord<byte[], byte[]> one : consumer.poll(100)) {
                        read.add(List.of((long) one.partition(), one.offset()));
                    }
                    if (!read.isEmpty() && committed()) {
                        synchronized (this) {
                            records.addAll(read);
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
            } catch (CommitFailedException takenAway) {
                return false; // another member reads it
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
        }

        synchronized Object given() {
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

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String text(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }
}
