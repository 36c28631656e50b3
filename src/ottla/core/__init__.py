"""Decisions. No await, no clock, no socket, no file: what is local is called through `port`, what takes time is returned as an `effect`."""
