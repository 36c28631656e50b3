"""A producer's decisions: which partition, which batch, what is sent when, and again, and as whom.

`accumulator.py` gathers records into batches (`batch.py`) by partition (`partitioner.py`),
`sender.py` turns batches into requests and answers into fates, `lane.py` is one partition of both,
`delivery.py` and `fate.py` are what the caller gets to see of all that. Time and chance are arguments; sockets, waiting
and threads are the shell's, `aio/producer.py`.
"""
