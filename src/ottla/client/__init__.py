"""The client's decisions; still pure.

A room kept for producer, consumer and admin; today it holds what the first command-line tools need.
"""
