"""Who calls the node in a world: clients, members, administrators and strangers, and the product's own.

They see bytes, as callers do, and write down what they saw (`history.py`). What each of them does is in
the plan. `client.py` is what most of them have in common; the product's own have an event loop instead.
"""
