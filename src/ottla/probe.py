"""Points in the code that a test may watch or trip: all of them off.

A mark says that a rare branch was taken, so that a test can claim it was. A trip point lets a test
world make something rare likely: an early timeout, a short read. In production both do nothing.

The room is kept and no more: nothing sets marks yet, and nothing turns the points on. Who does will
be the simulator, from outside; a decision never depends on how often it was watched.
"""


def mark(branch: str) -> None:
    """The branch of that name was taken. Nobody counts."""


def trips(point: str) -> bool:
    """Shall the unlikely happen here? Never."""
    return False
