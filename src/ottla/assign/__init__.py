"""Partitions to members: the assignors that the client (classic) and the broker (KIP-848) share.

A room kept for the consumer groups; nothing stands here yet.
"""
