"""One partition's bytes on one disk, in Apache Kafka's on-disk format.

`log.py` is the log a replica uses; it owns `segment.py`s, each a data file with `offset_index.py`,
`time_index.py` (both on `entry_file.py`) and, where transactions were aborted, `aborted_index.py`.
`producer_state.py` knows the idempotent producers (its files: `snapshot.py`), `epoch_history.py` the
leader epochs. `recovery.py` opens what another process left, `retention.py` says what may go,
`lookup.py` finds records by time, `unsynced.py` what a flush must name, `corrupt.py` is raised for
damage. `checkpoint.py` reads and writes the small text files, also those of the whole log directory.

Open a directory that Kafka 4.x closed or was killed in, and every file stays as it is or becomes
what Kafka would have made of it; indexes and snapshots written here are Kafka's, byte for byte.
"""
