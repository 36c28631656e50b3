// kafka-node 4, of the time of Kafka 0.10 (the contract is in contract.py): Produce 2 and Fetch 2, no
// headers. Run with the installed project as the working directory, from which modules resolve.

const readline = require("readline");
const { createRequire } = require("module");
const need = createRequire(process.cwd() + "/");
const kafka = need("kafka-node");

const CODECS = { none: 0, gzip: 1, snappy: 2 };
const CONSUME_MS_MAX = 15000;

const bytes = (text) => (text === null ? null : Buffer.from(text, "base64"));
const text = (data) => (data === null || data === undefined ? null : Buffer.from(data).toString("base64"));
const connect = (bootstrap) => new kafka.KafkaClient({ kafkaHost: bootstrap, connectRetryOptions: { retries: 3 } });

const produce = (bootstrap, request) =>
  new Promise((resolve, reject) => {
    const client = connect(bootstrap);
    const producer = new kafka.Producer(client, { requireAcks: 1 });
    producer.on("error", reject);
    producer.on("ready", () => {
      const partition = request.records[0].partition;
      const messages = request.records.map(
        (one) => new kafka.KeyedMessage(bytes(one.key), bytes(one.value), one.timestamp)
      );
      const payload = { topic: request.topic, partition, messages, attributes: CODECS[request.codec] };
      producer.send([payload], (error, answer) => {
        client.close();
        if (error) return reject(error);
        const first = answer[request.topic][String(partition)];
        resolve(request.records.map((_, number) => ({ partition, offset: first + number })));
      });
    });
  });

const consume = (bootstrap, request) =>
  new Promise((resolve, reject) => {
    const client = connect(bootstrap);
    const payloads = Object.entries(request.starts).map(([partition, offset]) => ({
      topic: request.topic,
      partition: Number(partition),
      offset,
    }));
    const options = { autoCommit: false, fromOffset: true, encoding: "buffer", keyEncoding: "buffer", groupId: "unused" };
    const consumer = new kafka.Consumer(client, payloads, options);
    const records = [];
    const timer = setTimeout(finish, CONSUME_MS_MAX);
    function finish() {
      clearTimeout(timer);
      consumer.close(false, () => client.close(() => resolve(records)));
    }
    consumer.on("error", reject);
    consumer.on("message", (one) => {
      if (records.length === request.count) return;
      records.push({
        partition: one.partition,
        offset: one.offset,
        timestamp: one.timestamp ? new Date(one.timestamp).getTime() : null,
        key: text(one.key),
        value: text(one.value),
        headers: [],
      });
      if (records.length === request.count) finish();
    });
  });

const OPERATIONS = { produce, consume };

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      const operation = OPERATIONS[request.op];
      answer = operation ? { ok: await operation(process.argv[2], request) } : { cannot: `has no ${request.op}` };
    } catch (error) {
      answer = { failed: String(error.stack || error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  process.exit(0);
}

main();
