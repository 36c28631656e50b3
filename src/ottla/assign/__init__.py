"""Partitions to members: the assignors of classic groups, with the results of Kafka's own.

`range`, `roundrobin`, `sticky` and `cooperative-sticky` by their names in the protocol (`ASSIGNORS`).
An assignor is a function of who wants what and owned what; it keeps nothing. Racks are not looked at
(KIP-881): with equal racks, or none, Kafka's results are these. Elsewhere: bytes, `client/member`.
"""
