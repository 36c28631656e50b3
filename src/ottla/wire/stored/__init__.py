"""Records that a broker keeps: metadata, groups, transactions, share groups, snapshots, markers.

A module per record, generated from `schema/stored/`; `catalog.py` finds one by its number,
`framing.py` adds what stands around a body in its log.
"""
