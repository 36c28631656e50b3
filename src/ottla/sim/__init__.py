"""The other world: the same node, invented everything.

`world.py` is one queue of events with a node, a disk that forgets and tears, and a network that cuts;
`draw.py` makes a world from a seed, `trial.py` runs and judges it, `checker/` has a file per promise.
"""
