"""What is said when a segment does not hold what it must.

An OSError, so that whoever asked answers as for any failing disk. In a module of its own because
mypyc makes no machine code of a class with that parent: this one stays Python where others do not.
"""

import errno


class CorruptSegment(OSError):
    """There is no batch, or no sound one, at that place of that segment."""

    def __init__(self, path: str, position: int, problem: str) -> None:
        super().__init__(errno.EIO, f"{problem} (at byte {position})", path)
        self.position = position
        self.problem = problem
