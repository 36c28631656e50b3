import sys

from pyspark.sql import SparkSession

jars, checkpoint = sys.argv[1:]
spark = (
    SparkSession.builder.appName("tutorial")
    .master("local[1]")
    .config("spark.jars", jars)
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
df = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", "localhost:9092")
    .option("subscribe", "a_partitioned_topic")
    .option("startingOffsets", "earliest")
    .option("includeHeaders", "true")
    .load()
)
query = (
    df.selectExpr("key", "upper(CAST(value AS STRING)) AS value")
    .writeStream.format("kafka")
    .option("kafka.bootstrap.servers", "localhost:9092")
    .option("topic", "results")
    .option("checkpointLocation", checkpoint)
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination(120)
print("stream ended:", query.exception())
table = (
    spark.read.format("kafka")
    .option("kafka.bootstrap.servers", "localhost:9092")
    .option("subscribePattern", "res.*")
    .option("startingOffsetsByTimestamp", '{"results": {"0": 1000}}')
    .option("endingOffsets", "latest")
    .load()
)
print("results:", sorted(row[0] for row in table.selectExpr("CAST(value AS STRING)").collect()))
spark.stop()
