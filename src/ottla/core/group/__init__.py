"""Consumer groups.

A room kept; nothing stands here yet, and nothing of it is advertised.
"""
