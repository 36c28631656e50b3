"""One partition's bytes on one disk, in Apache Kafka's on-disk format."""
