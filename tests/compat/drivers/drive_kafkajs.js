// KafkaJS (the contract is in contract.py).
//
// Its consumer knows only groups, so there is no `consume` of assigned partitions here: the harness reads
// what it wrote with another client. Run with the installed project as the working directory, from which modules resolve.

const readline = require("readline");
const { createRequire } = require("module");
const need = createRequire(process.cwd() + "/");

const kafkajs = need("kafkajs");
const snappy = need("kafkajs-snappy");
const lz4 = need("lz4-napi");
const zstd = need("@bokuweb/zstd-wasm");

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = kafkajs;
const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

async function installCodecs() {
  await zstd.init();
  CompressionCodecs[CompressionTypes.Snappy] = snappy;
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder) => lz4.compressFrame(encoder.buffer),
    decompress: (buffer) => lz4.decompressFrame(buffer),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
  });
}

const bytes = (text) => (text === null ? null : Buffer.from(text, "base64"));

function headersOf(record) {
  const headers = {};
  for (const [name, value] of record.headers) {
    const data = bytes(value);
    if (name in headers) headers[name] = [].concat(headers[name], [data]);
    else headers[name] = data;
  }
  return headers;
}

class Cannot extends Error {}

async function withAdmin(kafka, use) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

const operations = {
  alter: (kafka, { topic, configs }) =>
    withAdmin(kafka, async (admin) => {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
      const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries };
      await admin.alterConfigs({ validateOnly: false, resources: [resource] });
      return null;
    }),
  create: (kafka, { topic, partitions, configs }) =>
    withAdmin(kafka, async (admin) => {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
      await admin.createTopics({
        topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
      });
      return null;
    }),

  topics: (kafka) => withAdmin(kafka, (admin) => admin.listTopics()),

  partitions: (kafka, { topic }) =>
    withAdmin(kafka, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0].partitions.map((part) => part.partitionId).sort((a, b) => a - b);
    }),

  delete: (kafka, { topic }) =>
    withAdmin(kafka, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      return null;
    }),

  produce: async (kafka, { topic, codec, records, idempotent, batch_bytes }) => {
    const producer = kafka.producer({ idempotent: idempotent === true, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      const counts = new Map();
      const placed = [];
      // One send is one batch per partition, so many sends stand for small batches.
      const step = batch_bytes ? 20 : records.length;
      for (let at = 0; at < records.length; at += step) {
        const messages = records.slice(at, at + step).map((record) => ({
          key: bytes(record.key),
          value: bytes(record.value),
          partition: record.partition,
          headers: headersOf(record),
          ...(record.timestamp === null ? {} : { timestamp: String(record.timestamp) }),
        }));
        const answers = await producer.send({ topic, messages, acks: -1, compression: CODECS[codec] });
        const next = new Map(answers.map((one) => [one.partition, Number(one.baseOffset)]));
        for (const message of messages) {
          const offset = next.get(message.partition);
          next.set(message.partition, offset + 1);
          placed.push({ partition: message.partition, offset });
        }
      }
      return placed;
    } finally {
      await producer.disconnect();
    }
  },

  times: (kafka, { topic, partition, timestamps }) =>
    withAdmin(kafka, async (admin) => {
      const ends = await admin.fetchTopicOffsets(topic);
      const end = ends.find((one) => one.partition === partition).high;
      const found = [];
      for (const timestamp of timestamps) {
        const answers = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp);
        const { offset } = answers.find((one) => one.partition === partition);
        // KafkaJS puts the end of the partition where the broker says that nothing is that late.
        found.push(offset === end ? null : { offset: Number(offset) });
      }
      return found;
    }),

  watermarks: (kafka, { topic, partition }) =>
    withAdmin(kafka, async (admin) => {
      const found = (await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition);
      return [Number(found.low), Number(found.high)];
    }),

  delete_records: (kafka, { topic, partition, before }) =>
    withAdmin(kafka, async (admin) => {
      await admin.fetchTopicOffsets(topic); // loads the metadata that the next call relies on
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
      const found = (await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition);
      return Number(found.low);
    }),
};

const members = new Map();

function given({ partitions, records, rebalances }) {
  return { partitions: [...partitions].sort((a, b) => a - b), records, rebalances };
}

Object.assign(operations, {
  join: async (kafka, { member, group, topic, strategy, instance }) => {
    if (instance !== null) throw new Cannot("no static members");
    if (strategy !== "range") throw new Cannot(`no ${strategy}`);
    const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10000, heartbeatInterval: 500 });
    const state = { consumer, partitions: [], records: [], rebalances: 0 };
    members.set(member, state);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      state.partitions = payload.memberAssignment[topic] || [];
      state.rebalances += 1;
    });
    consumer.on(consumer.events.REBALANCING, () => {
      state.partitions = [];
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, isRunning, isStale }) => {
        if (!isRunning() || isStale() || batch.messages.length === 0) return;
        const offset = String(BigInt(batch.lastOffset()) + 1n);
        // Should the partition be another's by now, this throws, and the runner joins again.
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset }]);
        for (const one of batch.messages) state.records.push([batch.partition, Number(one.offset)]);
      },
    });
    return null;
  },

  given: async (kafka, { member }) => given(members.get(member)),

  leave: async (kafka, { member }) => {
    const state = members.get(member);
    members.delete(member);
    await state.consumer.disconnect();
    return given(state);
  },
});

// The broker's refusals lie deep: an error's cause, the errors of a batch, the errors of partitions.
function refusals(error) {
  if (!error) return [];
  if (typeof error.code === "number" && error.code > 0) return [error];
  const parts = (error.partitions || []).map((one) => one.error);
  return [error.cause, ...(error.errors || []), ...parts].flatMap(refusals);
}

function failure(error) {
  if (error instanceof Cannot) return { cannot: error.message };
  const [refusal] = refusals(error);
  if (refusal) return { refused: { code: refusal.code, message: refusal.message } };
  return { failed: String(error.stack || error) };
}

async function main() {
  await installCodecs();
  const kafka = new Kafka({
    clientId: "compat",
    brokers: [process.argv[2]],
    logLevel: logLevel.NOTHING,
    retry: { retries: 3 },
  });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      const operation = operations[request.op];
      if (operation) answer = { ok: await operation(kafka, request) };
      else answer = { cannot: request.op === "consume" ? "knows only groups" : `has no ${request.op}` };
    } catch (error) {
      answer = failure(error);
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
