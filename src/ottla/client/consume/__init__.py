"""Reading assigned partitions: positions, fetches, records, and the offsets to begin with."""
