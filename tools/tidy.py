"""What the linters cannot see: habits of STYLE.md that a syntax tree can check.

Every finding names the file, the line, what stands there and what to write instead.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "ottla"
GENERATED: Final = ("wire/message/", "wire/stored/", "wire/api.py", "errors.py")
SHELLS: Final = ("aio/", "cli/", "compat/", "console/", "kafka/", "sim/")
EMPTY_NAMES: Final = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "service", "impl"})  # fmt: skip
MODULE_LINES_MAX: Final = 600
FUNCTION_LINES_MAX: Final = 60
UNPREDICTABLE_CALLS: Final = {
    "uuid4": "the Entropy port",
    "hash": "a hash of the bytes that is the same in every process (zlib.crc32, murmur2)",
    "id": "an identity of your own",
    "__import__": "a plain import",
    "import_module": "a plain import, inside the function if it must be late",
}
HASHED_BY_SECRET: Final = ("core/log/offset_map.py",)
"""There `hash` only says where a thing lies, and nobody who picks keys can make all lie in one place."""

Finding = tuple[Path, int, str]


def findings_in(path: Path) -> Iterator[Finding]:
    relative = path.relative_to(SOURCE).as_posix()
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    pure = not relative.startswith(SHELLS)
    if not ast.get_docstring(tree):
        yield path, 1, "a module without a theory: begin with a docstring that says what it decides"
    if path.stem in EMPTY_NAMES:
        yield path, 1, f"the module name {path.stem!r} says nothing: use the domain's noun"
    lines = source.count("\n")
    if (
        lines > MODULE_LINES_MAX
        and "whole on purpose" not in (ast.get_docstring(tree) or "").lower()
    ):
        yield (
            path,
            1,
            f"{lines} lines; over {MODULE_LINES_MAX}: find the noun that wants to leave, or say in the docstring why it is left whole on purpose",
        )
    for number, line in enumerate(source.splitlines(), 1):
        if ("TODO" in line or "FIXME" in line or "XXX" in line) and "TODO(#" not in line:
            yield path, number, "a bare TODO: open an issue and write TODO(#number)"
    for node in ast.walk(tree):
        yield from _node_findings(path, node, pure)


def _node_findings(path: Path, node: ast.AST, pure: bool) -> Iterator[Finding]:
    match node:
        case ast.Await() | ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() if pure:
            yield path, node.lineno, "await in a decision: return an effect, let `aio` await"
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if (
            pure
            and name in UNPREDICTABLE_CALLS
            and not _is_method_of_own(node)
            and not (name == "hash" and path.as_posix().endswith(HASHED_BY_SECRET))
        ):
            yield path, node.lineno, f"{name}() in a decision: use {UNPREDICTABLE_CALLS[name]}"
        case (
            ast.For(iter=ast.Call(func=ast.Name(id="set" | "frozenset"))) | ast.For(iter=ast.Set())
        ) if pure:
            yield (
                path,
                node.lineno,
                "iterating a set: its order differs between processes; use sorted() or dict.fromkeys()",
            )
        case ast.ExceptHandler(type=ast.Name(id="Exception" | "BaseException")) if (
            path.name != "connection.py" and not isinstance(node.body[-1], ast.Raise)
        ):
            yield (
                path,
                node.lineno,
                "except Exception: only the connection boundary in aio/connection.py may; name what you expect",
            )
        case ast.ExceptHandler(type=None):
            yield path, node.lineno, "a bare except: name what you expect"
        case ast.ClassDef(name=name):
            yield from _class_findings(path, node, name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX and "on purpose" not in (ast.get_docstring(node) or ""):
                yield (
                    path,
                    node.lineno,
                    f"{name} has {length} lines; over {FUNCTION_LINES_MAX}: keep the branching, push the straight-line work down (or say in its docstring why it is left whole on purpose)",
                )
        case _:
            pass


def _is_method_of_own(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in ("id", "hash")


def _class_findings(path: Path, node: ast.ClassDef, name: str) -> Iterator[Finding]:
    for word in ("Helper", "Manager", "Util", "Utils", "Misc", "Impl"):
        if name.endswith(word):
            yield path, node.lineno, f"class {name}: {word!r} says nothing; use the domain's noun"
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Name) and called.id == "dataclass":
            words = decorator.keywords if isinstance(decorator, ast.Call) else []
            if not any(word.arg == "slots" for word in words):
                yield (
                    path,
                    node.lineno,
                    f"dataclass {name} without slots: write @dataclass(frozen=True, slots=True)",
                )


def main() -> int:
    count = 0
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE).as_posix()
        if relative.startswith(GENERATED):
            continue
        for where, line, what in findings_in(path):
            print(f"{where.relative_to(ROOT)}:{line}: {what}")
            count += 1
    print(f"tidy: {count} findings" if count else "tidy: clean")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
