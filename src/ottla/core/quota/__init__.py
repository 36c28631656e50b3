"""Quotas: how much a client may use per second, what it has used, and how long it has to wait."""
