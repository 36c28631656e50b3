"""Who may (ACLs), who is who (credentials), how fast (quotas).

A room kept; nothing stands here yet.
"""
