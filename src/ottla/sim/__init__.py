"""The other world: the same node, invented everything.

A room kept for the deterministic simulator; nothing stands here yet.
"""
