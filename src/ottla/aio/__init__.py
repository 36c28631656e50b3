"""Everything that awaits: listeners, connections, files, clocks."""
