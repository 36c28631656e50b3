"""The web console.

A room kept; nothing stands here yet.
"""
