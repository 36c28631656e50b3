"""`python -m ottla.compat [-m MODULE | SCRIPT] ARGS…`: run it with `kafka` meaning `ottla.kafka`."""

import os
import runpy
import sys
from typing import Final

from ottla.compat import install

USAGE: Final = "usage: python -m ottla.compat (SCRIPT | -m MODULE) [ARGS ...]"
_WRONG: Final = 2


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{USAGE}\nRuns a program with `import kafka` meaning ottla.kafka.")
        return 0 if arguments else _WRONG
    install()
    if arguments[0] == "-m":
        if len(arguments) < 2:
            print(USAGE, file=sys.stderr)
            return _WRONG
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    script = arguments[0]
    if not os.path.exists(script):
        print(f"ottla.compat: there is no {script!r}\n{USAGE}", file=sys.stderr)
        return _WRONG
    sys.argv = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
