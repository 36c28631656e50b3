"""Makes the wheel with machine code: mypyc compiles the modules that pyproject.toml names.

Only if asked, by OTTLA_COMPILE=1 (`make wheel`). Otherwise this does nothing, and a wheel is pure and
needs no compiler; an editable install is so in any case. Sources stay in the wheel beside the machine
code: type checkers read them, tracebacks quote them. Which modules, and why: docs/adr/0019.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASKED: Final = "OTTLA_COMPILE"
MYPY: Final = ("--config-file=", "--ignore-missing-imports", "--follow-imports=silent")
"""Types are judged by `make check`; here they only have to be known."""


class Compile(BuildHookInterface[Any]):
    """The build hook, as hatchling finds it."""

    def dependencies(self) -> list[str]:
        return ["mypy[mypyc]>=2.0"] if self._is_asked() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not self._is_asked():
            return
        self._made = tempfile.TemporaryDirectory(prefix="ottla-compile-")
        with contextlib.chdir(Path(self.root, "src")):  # mypyc names modules by their paths
            modules = self._found("compiled") - self._found("interpreted")
            made = compile_modules(sorted(modules), Path(self._made.name))
        for path, place in made.items():
            build_data["force_include"][path] = place
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if build_data.get("infer_tag"):
            self._made.cleanup()

    def _is_asked(self) -> bool:
        return os.environ.get(ASKED, "0") not in ("", "0")

    def _found(self, key: str) -> set[str]:
        return {str(path) for glob in self.config[key] for path in Path().glob(glob)}


def compile_modules(modules: list[str], into: Path) -> dict[str, str]:
    """The libraries that were made, and where each belongs in the wheel."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    extensions = mypycify(
        [*MYPY, f"--cache-dir={into}/types", *modules],
        opt_level="2",
        debug_level="0",
        multi_file=True,
        group_name="ottla",
        target_dir=str(into / "c"),
    )
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_temp = str(into / "objects")
    command.build_lib = str(into / "libraries")
    command.ensure_finalized()
    command.run()
    return {path: os.path.relpath(path, command.build_lib) for path in command.get_outputs()}
