"""The version, where kafka-python keeps its own."""

from ottla.version import __version__

__all__ = ["__version__"]
