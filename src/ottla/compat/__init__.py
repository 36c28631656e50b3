"""Programs that say `import kafka`, run on `ottla.kafka` without a change.

`python -m ottla.compat script.py` puts a finder in front of the import system: `kafka` and whatever is
in it are the modules of `ottla.kafka`, the same objects, so that a class compares equal to itself. What
`ottla.kafka` does not have is not found, whether kafka-python is installed or not.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Final, final

ALIAS: Final = "kafka"
_HOME: Final = "ottla."


@final
class _Alias(MetaPathFinder, Loader):
    def __init__(self) -> None:
        self._own_specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != ALIAS and not fullname.startswith(f"{ALIAS}."):
            return None
        if find_spec(_HOME + fullname) is None:
            raise ModuleNotFoundError(f"ottla has nothing in place of {fullname!r}", name=fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(_HOME + spec.name)
        self._own_specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has written the alias' spec into a module that has one.
        name = module.__name__.removeprefix(_HOME)
        module.__spec__ = self._own_specs.pop(name, module.__spec__)


def install() -> None:
    """From now on `import kafka` means `ottla.kafka`. Before anybody imported it."""
    if not any(isinstance(one, _Alias) for one in sys.meta_path):
        sys.meta_path.insert(0, _Alias())
