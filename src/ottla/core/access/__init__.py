"""Who may (ACLs), who is who (credentials). How fast: `core/quota`.

A room kept; nothing stands here yet.
"""
