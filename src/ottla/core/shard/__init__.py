"""A coordinator on a partition: decide, append, commit, reply.

A room kept for consumer groups and transactions; nothing stands here yet.
"""
