"""The metadata log's only writer: decide, append, apply, reply."""
