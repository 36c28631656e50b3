"""A coordinator on a partition: decide, append, apply, and reply once it is committed.

`shards.py` follows which partitions of a coordinator's topic this broker leads; `shard.py` is one of
them with the machine that lives on it; `decision.py` is what such a machine answers; `place.py` says
which partition an id belongs to. The machines themselves are elsewhere: `core/group`.
"""
