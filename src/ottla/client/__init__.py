"""The client's decisions; still pure.

A room kept for producer, consumer and admin; today it holds what the first command-line tools need:
`metadata` is the picture of the cluster, `accumulator` and `sender` produce, `lookup` and `fetcher`
consume, `admin` asks about topics, `partitioner` chooses. Who awaits is `aio/client.py`.
"""
