"""Transactions (KIP-98).

A room kept; nothing stands here yet, and nothing of it is advertised.
"""
