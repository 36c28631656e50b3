"""Requests to machines; still pure. `node.py` is the one entry, `wiring.py` the one constructor."""
