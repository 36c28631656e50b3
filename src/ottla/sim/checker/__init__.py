"""What a world is judged by: one file per promise.

A history checker is a function from what clients saw (`ledger.Ledger`, a history put in order) to
violations; it knows nothing of the implementation, so that it judges real processes as well. `judge`
runs them all. `inside` and `recovered` look at the machines themselves: their invariants, and that
what a start made of the disk is what the batches say. A new promise is a new file.
"""
