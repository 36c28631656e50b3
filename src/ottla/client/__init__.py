"""The client's decisions; still pure.

`metadata` is the picture of the cluster, `options` and `reach` are about connections, `produce/` sends
records, `consume/` and `member/` read them, `admin`, `configs`, `groups` and the like ask for changes
and word the answers. Who awaits is `ottla.aio`.
"""
