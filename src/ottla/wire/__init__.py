"""Bytes to messages and back; broker, client, console and simulator share it.

No socket in here: `server.py` and `client.py` take received bytes and give bytes to send.
"""
