"""Write everything that is derived from `schema/`; with `--check`, only say whether it is fresh.

    schema/NN_name.py    -> src/ottla/wire/message/name.py, src/ottla/wire/api.py, docs/reference/apis.md
    schema/stored/*.py   -> src/ottla/wire/stored/name.py, src/ottla/wire/stored/catalog.py
    schema/errors.py     -> src/ottla/errors.py, docs/reference/errors.md

Deterministic: the same schema gives the same bytes. Generated Python is formatted like ours, by ruff.
"""

import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from gen_codec import (  # noqa: E402
    Module,
    ReadEmitter,
    Struct,
    WriteEmitter,
    default_of,
    snake,
    type_of,
)
from gen_text import API_HEAD, ERRORS_TEXT, STORED_HEAD  # noqa: E402
from schema.language import VERSION_MAX, ApiSchema, Body, ErrorSchema, StoredSchema  # noqa: E402

IMPORTS = (
    ("collections.abc", ("Sequence",)),
    ("struct", ("Struct as Layout",)),
    ("typing", ("ClassVar", "Final", "final")),
    ("ottla.errors", ("LocalProtocolError",)),
    ("ottla.types", ("ZERO_UUID", "Payload")),
)


def versions_text(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def flexible_text(first: int) -> str:
    return "none" if first > VERSION_MAX else f"{first}+"


def imports(text: str) -> str:
    """The import lines that `text` needs."""
    primitive = (ROOT / "src/ottla/wire/primitive.py").read_text()
    names = re.findall(r"^(?:def )?([A-Za-z]\w*)(?:\(|: )", primitive, re.MULTILINE)
    shape = (
        "Codec", "Message", "StoredRecord", "Struct", "check_stored_version", "decode_untrusted",
        "encode_stored",
    )  # fmt: skip
    sources = [
        *IMPORTS,
        ("ottla.wire.primitive", tuple(sorted(names))),
        ("ottla.wire.shape", shape),
    ]
    lines: list[str] = []
    for module, offered in sources:
        used = [n for n in offered if re.search(rf"\b{n.split()[-1]}\b", text)]
        if used and module.startswith("ottla") and "" not in lines:
            lines.append("")
        if used:
            lines.append(f"from {module} import {', '.join(used)}")
    return "\n".join(lines)


def class_text(struct: Struct, parent: str, constants: list[str], methods: str = "") -> str:
    names = [f.name for f in struct.fields]
    lines = ["@final", f"class {struct.name}({parent}):"]
    if names:
        slots = ", ".join(f'"{n}"' for n in sorted(names))
        lines.append(f"    __slots__ = ({slots}{',' if len(names) == 1 else ''})")
    else:
        lines.append("    __slots__ = ()")
    lines += ["    " + constant for constant in constants]
    if names:
        lines += ["", "    def __init__(", "        self,"]
        for f in struct.fields:
            low, high = max(f.since, struct.versions[0]), min(f.until, struct.versions[1])
            note = "" if (low, high) == struct.versions else f"  # {versions_text(low, high)}"
            lines.append(f"        {f.name}: {type_of(f)} = {default_of(f)},{note}")
        lines.append("    ) -> None:")
        lines += [f"        self.{n} = {n}" for n in names]
    lines.append(methods)
    if struct.needs_default:
        lines += ["", "", f"_{snake(struct.name).upper()}: Final = {struct.name}()"]
    return "\n".join(lines)


def functions_text(module: Module) -> str:
    parts = []
    for struct in module.structs.values():
        for group in struct.groups:
            parts.append("\n".join(ReadEmitter(module, struct, group).function()))
            parts.append("\n".join(WriteEmitter(module, struct, group).function()))
    return "\n\n\n".join(parts)


def dispatch(struct: Struct, verb: str, arguments: str) -> str:
    """The body that picks a struct's function by version."""
    name = snake(struct.name)
    lines = []
    for low, _ in reversed(struct.groups[1:]):
        lines.append(f"    if version >= {low}:")
        lines.append(f"        return _{verb}_{name}_v{low}({arguments})")
    lines.append(f"    return _{verb}_{name}_v{struct.groups[0][0]}({arguments})")
    return "\n".join(lines)


def entry_points(struct: Struct, kind: str, parent: str) -> str:
    """`_read_<kind>` and `_write_<kind>` for all versions of a body."""
    return (
        f"def _read_{kind}(data: memoryview, at: int, version: int) -> tuple[{struct.name}, int]:\n"
        f"{dispatch(struct, 'read', 'data, at, version')}\n\n\n"
        f"def _write_{kind}(o: {parent}, version: int, write: Write) -> None:\n"
        f"    if not isinstance(o, {struct.name}):\n"
        f'        raise LocalProtocolError(f"{{type(o).__name__}} is not a {struct.name}")\n'
        f"{dispatch(struct, 'write', 'o, version, write')}"
    )


def assembled(source: str, title: str, parts: list[str], module: Module) -> str:
    packers = "\n".join(
        f'{name}: Final = Layout(">{code}").{"pack" if name.startswith("_pack") else "unpack_from"}'
        for name, code in sorted(module.packers.items())
    )
    parts = [packers, *parts]
    if "_new(" in "".join(parts):
        parts.insert(0, "_new: Final = object.__new__")
    text = "\n\n\n".join(parts)
    return (
        f'# Generated by tools/gen.py from {source}: edit that, then `make gen`.\n"""{title}"""\n\n'
        f"{imports(text)}\n\n{text}\n"
    )


def has_payload(module: Module, body: Body) -> bool:
    seen = [module.structs[body.name]]
    for struct in seen:
        seen += [module.structs[f.type] for f in struct.fields if f.type in module.structs]
    return any(f.type == "records" for struct in seen for f in struct.fields)


def message_module(api: ApiSchema, source: str) -> str:
    module = Module([api.request, api.response], api.fast)
    tops = {api.request.name, api.response.name}
    functions = functions_text(module)
    classes = [
        class_text(s, "Message", [f"API_KEY: ClassVar[int] = {api.key}"])
        if s.name in tops
        else class_text(s, "Struct", [])
        for s in module.structs.values()
    ]
    request, response = module.structs[api.request.name], module.structs[api.response.name]
    title = (
        f"{api.name}, API key {api.key}: versions "
        f"{versions_text(api.version_min, api.version_max)}, flexible {flexible_text(api.flexible_from)}."
    )
    parts = [*classes, functions, entry_points(request, "request", "Message")]
    parts.append(entry_points(response, "response", "Message"))
    refusal, refused = "None", (0, -1)
    for f in response.fields:
        if f.name == "error_code":
            refusal = "_refusal"
            refused = (max(f.since, api.version_min), min(f.until, api.version_max))
            parts.append(
                "def _refusal(error_code: int) -> Message:\n"
                f"    return {response.name}(error_code=error_code)"
            )
    parts.append(
        f"CODEC: Final = Codec(_read_request, _write_request, {has_payload(module, api.request)}, "
        f"_read_response, _write_response, {has_payload(module, api.response)}, "
        f"{refusal}, {refused[0]}, {refused[1]})"
    )
    return assembled(source, title, parts, module)


def stored_methods(struct: Struct) -> str:
    low, high = struct.versions
    return f'''
    def encode(self, version: int) -> bytes:
        if not {low} <= version <= {high}:
            raise LocalProtocolError(f"{struct.name} version {{version}}; known are {low} to {high}")
        return encode_stored(_write_{snake(struct.name)}, self, version)

    @staticmethod
    def decode_untrusted(data: bytes | memoryview, version: int, at: int = 0) -> "{struct.name}":
        """What `data` holds from `at` to its end; RemoteProtocolError if it is anything else."""
        check_stored_version("{struct.name}", version, {low}, {high})
        view = memoryview(data)
        return decode_untrusted(_read_{snake(struct.name)}, view, at, version, "{struct.name}")
'''


def stored_module(record: StoredSchema, source: str) -> str:
    module = Module(record.bodies, fast=False)
    tops = {body.name for body in record.bodies}
    functions = functions_text(module)
    classes, entries = [], []
    for struct in module.structs.values():
        if struct.name not in tops:
            classes.append(class_text(struct, "Struct", []))
            continue
        constants = [
            f"TYPE_ID: ClassVar[int] = {-1 if record.type_id is None else record.type_id}",
            f"VERSION_MIN: ClassVar[int] = {struct.versions[0]}",
            f"VERSION_MAX: ClassVar[int] = {struct.versions[1]}",
        ]
        classes.append(class_text(struct, "StoredRecord", constants, stored_methods(struct)))
        entries.append(entry_points(struct, snake(struct.name), "StoredRecord"))
    main = record.bodies[-1]
    title = (
        f"{record.name} ({record.area}): versions "
        f"{versions_text(main.version_min, main.version_max)}, flexible {flexible_text(main.flexible_from)}."
    )
    return assembled(source, title, [*classes, functions, *entries], module)


def api_module(apis: list[ApiSchema]) -> str:
    cases, entries = [], []
    for a in apis:
        name = snake(a.name)
        cases.append(f"        case {a.key}:")
        cases.append(f"            from ottla.wire.message import {name}\n")
        cases.append(f"            return {name}.CODEC")
        entries.append(
            f'    Api({a.key}, "{a.name}", {a.version_min}, {a.version_max}, '
            f"{min(a.flexible_from, VERSION_MAX)}, {a.advertised_min}, {a.advertised_max}, "
            f"{-1 if a.unstable is None else a.unstable}, {'broker' in a.listeners}, "
            f"{'controller' in a.listeners}, {a.cluster_action}),"
        )
    names = "\n".join(f"{snake(a.name).upper()}: Final = {a.key}" for a in apis)
    head = API_HEAD.rstrip().replace("@KEYS@", names)
    return head.replace("@CASES@", "\n".join(cases)).replace("@ENTRIES@", "\n".join(entries)) + "\n"


def catalog_module(records: list[StoredSchema]) -> str:
    """Which class a type number of each area stands for."""
    parts = [STORED_HEAD.rstrip()]
    for area in ("metadata", "group", "transaction", "share"):
        pair = area != "metadata"
        result = "tuple[ReadKey, ReadValue]" if pair else "ReadValue"
        lines = [f"def {area}_record(type_id: int) -> {result} | None:", "    match type_id:"]
        for r in sorted((r for r in records if r.area == area), key=lambda r: r.type_id or 0):
            names = [b.name for b in r.bodies]
            lines.append(f"        case {r.type_id}:")
            lines.append(
                f"            from ottla.wire.stored.{snake(r.name)} import {', '.join(names)}"
            )
            lines.append("")
            lines.append(f"            return {', '.join(n + '.decode_untrusted' for n in names)}")
        lines.append("    return None")
        parts.append("\n".join(lines))
    return "\n\n\n".join(parts) + "\n"


def errors_module(errors: tuple[ErrorSchema, ...]) -> str:
    codes = "\n".join(f"    {e.name} = {e.code}" for e in errors)
    retriable = ", ".join(f"ErrorCode.{e.name}" for e in errors if e.retriable)
    stale = ", ".join(f"ErrorCode.{e.name}" for e in errors if e.invalidates_metadata)
    text = ERRORS_TEXT.replace("@CODES@", codes)
    return text.replace("@RETRIABLE@", retriable).replace("@STALE@", stale)


def apis_page(apis: list[ApiSchema]) -> str:
    rows = [
        f"| {a.key} | {a.name} | {versions_text(a.version_min, a.version_max)} | "
        f"{'–' if a.advertised_max < 0 else versions_text(a.advertised_min, a.advertised_max)} | "
        f"{flexible_text(a.flexible_from)} | {', '.join(a.listeners)} |"
        for a in apis
    ]
    return (
        "# APIs the codec knows\n\n<!-- Generated by tools/gen.py from schema/: edit that, then `make gen`. -->\n\n"
        "*Codec*: versions that can be read and written (Kafka 3.9's minimum to 4.4's maximum). *At most*: the\n"
        "widest range a broker may announce to clients; it announces what its handlers implement, which may be\n"
        "less. *Flexible*: versions in the compact form with tag sections (KIP-482).\n\n"
        "| Key | Name | Codec | At most | Flexible | Served by |\n|---:|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def errors_page(errors: tuple[ErrorSchema, ...]) -> str:
    rows = [
        f"| {e.code} | {e.name} | {'yes' if e.retriable else ''} | {'yes' if e.invalidates_metadata else ''} |"
        for e in errors
    ]
    return (
        "# Error codes\n\n<!-- Generated by tools/gen.py from schema/errors.py: edit that, then `make gen`. -->\n\n"
        "*Retriable*: the same request may succeed later. *Refresh*: ask for new metadata before trying again.\n\n"
        "| Code | Name | Retriable | Refresh |\n|---:|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def outputs() -> dict[str, str]:
    """Every derived file by its path from the root, not yet formatted."""
    out: dict[str, str] = {}
    apis: list[ApiSchema] = []
    for path in sorted((ROOT / "schema").glob("[0-9]*.py")):
        api: ApiSchema = runpy.run_path(str(path))["API"]
        apis.append(api)
        out[f"src/ottla/wire/message/{snake(api.name)}.py"] = message_module(
            api, f"schema/{path.name}"
        )
    apis.sort(key=lambda a: a.key)
    records: list[StoredSchema] = []
    for path in sorted((ROOT / "schema/stored").glob("*.py")):
        record: StoredSchema = runpy.run_path(str(path))["RECORD"]
        records.append(record)
        name = f"src/ottla/wire/stored/{snake(record.name)}.py"
        assert name not in out, name
        out[name] = stored_module(record, f"schema/stored/{path.name}")
    errors: tuple[ErrorSchema, ...] = runpy.run_path(str(ROOT / "schema/errors.py"))["ERRORS"]
    out["src/ottla/wire/api.py"] = api_module(apis)
    out["src/ottla/wire/stored/catalog.py"] = catalog_module(records)
    out["src/ottla/errors.py"] = errors_module(errors)
    out["docs/reference/apis.md"] = apis_page(apis)
    out["docs/reference/errors.md"] = errors_page(errors)
    return out


def formatted(texts: dict[str, str]) -> dict[str, str]:
    """The same files with their Python laid out by ruff."""
    ruff = [str(Path(sys.executable).parent / "ruff"), "format", "--isolated", "--quiet"]
    with tempfile.TemporaryDirectory() as directory:
        for index, (name, text) in enumerate(texts.items()):
            if name.endswith(".py"):
                (Path(directory) / f"{index}.py").write_text(text)
        options = ["--line-length=100", "--target-version=py311", "--no-cache"]
        subprocess.run([*ruff, *options, directory], check=True, timeout=60)
        return {
            name: (Path(directory) / f"{index}.py").read_text() if name.endswith(".py") else text
            for index, (name, text) in enumerate(texts.items())
        }


def orphans(texts: dict[str, str]) -> list[Path]:
    """Generated modules whose schema is gone."""
    return [
        path
        for folder in ("message", "stored")
        for path in sorted((ROOT / "src/ottla/wire" / folder).glob("*.py"))
        if str(path.relative_to(ROOT)) not in texts
        and path.read_text().startswith("# Generated by tools/gen.py")
    ]


def main(arguments: list[str]) -> int:
    texts = formatted(outputs())
    stale = [
        name
        for name, text in texts.items()
        if not (ROOT / name).exists() or (ROOT / name).read_text() != text
    ]
    gone = orphans(texts)
    if "--check" in arguments:
        for name in [*stale, *(str(path.relative_to(ROOT)) for path in gone)]:
            print(f"{name} is not what schema/ says: run `make gen`")
        return 1 if stale or gone else 0
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(texts[name])
    for path in gone:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
