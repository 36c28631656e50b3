"""Which Ottla this is: the one place, also for the build."""

__version__ = "0.1.0"
