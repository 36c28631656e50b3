"""Points in the code that a test may watch or trip: all of them off.

A mark says that a rare branch was taken, so that a test can claim it was. A trip point lets a test
world make something rare likely: an early timeout, a short read. A *mutant* is a mistake that brokers
of this kind have really made, kept behind a switch beside the line that avoids it: with the switch
on, the simulator's checkers must find it, which shows that they can see (`tools/mutants.py`). In
production all three do nothing.

A mutant is asked for as `if probe.MUTANTS and probe.mutant("name")`: one look at an empty set.
"""

MUTANTS: frozenset[str] = frozenset()
"""The mistakes that are made now. Empty, but in a world that `breed` was called in."""


def mark(branch: str) -> None:
    """The branch of that name was taken. Nobody counts."""


def trips(point: str) -> bool:
    """Shall the unlikely happen here? Never."""
    return False


def mutant(name: str) -> bool:
    """Shall the mistake of that name be made?"""
    return name in MUTANTS


def breed(*names: str) -> None:
    """From here on make these mistakes, and no others. For test worlds alone."""
    global MUTANTS
    MUTANTS = frozenset(names)
