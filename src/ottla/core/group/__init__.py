"""Consumer groups: who is a member, which generation it is, and how far it has read.

`group.py` is the machine that lives on a shard of `__consumer_offsets`: a table of groups and their
offsets. `classic.py` is one group of the classic protocol, `member.py` one member and the words of
the protocol, `offsets.py` what was committed and how long it is kept, `journal.py` the records in
which all of it is stored, `subscription.py` the one place that looks into a consumer's metadata.
"""
