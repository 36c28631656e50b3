"""From a schema body to Python: classes, and straight-line functions that read and write them.

Per struct there is one function for the classic versions and one for the flexible ones; for APIs
marked `fast`, one per distinct layout. A function's versions are its *group*. Within a group a field
is always there, never there, or guarded by an `if version`. Neighboring numbers of fixed size are
read and written by one `struct.Struct`.

Elsewhere: which files there are and what surrounds the functions, see `gen.py`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schema.language import Body, Field

Versions = tuple[int, int]
CODES = {
    "bool": "?", "int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "float64": "d", "uuid": "16s",
}  # fmt: skip
SIZES = {"?": 1, "b": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "d": 8, "16s": 16, "B": 1, "x": 1}
PYTHON = {"bool": "bool", "float64": "float", "string": "str", "bytes": "bytes",
          "records": "Payload", "uuid": "bytes"}  # fmt: skip
SCALARS = {*CODES, "string", "bytes", "records"}


def snake(name: str) -> str:
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name.replace("KRaft", "Kraft"))
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


@dataclass
class Struct:
    """A class to be: its fields, the versions it is used in, and its groups of versions."""

    name: str
    fields: tuple[Field, ...]
    versions: Versions
    flexible_from: int
    groups: list[Versions] = field(default_factory=list)
    needs_default: bool = False

    def group_of(self, version: int) -> Versions:
        return next(g for g in self.groups if g[0] <= version <= g[1])


def overlap(f: Field, versions: Versions) -> Versions | None:
    low, high = max(f.since, versions[0]), min(f.until, versions[1])
    return (low, high) if low <= high else None


class Module:
    """The structs of one or more bodies, nested ones first."""

    def __init__(self, bodies: Iterable[Body], fast: bool) -> None:
        self.structs: dict[str, Struct] = {}
        self.packers: dict[str, str] = {}
        self.bodies = list(bodies)
        self.fast = fast
        for body in self.bodies:
            versions = (body.version_min, body.version_max)
            self._collect(body.name, body.fields, versions, body.flexible_from)
        for struct in self.structs.values():
            self._group(struct, fast)

    def _collect(
        self, name: str, fields: tuple[Field, ...] | None, versions: Versions, flexible_from: int
    ) -> None:
        known = self.structs.get(name)
        if known is not None:
            low, high = known.versions
            assert fields is None or fields == known.fields, name
            fields = known.fields
            versions = (min(low, versions[0]), max(high, versions[1]))
            assert known.flexible_from == flexible_from, name
        assert fields is not None, f"{name}: its fields come with its first use"
        for f in fields:
            used = overlap(f, versions)
            if f.type not in SCALARS and used is not None:
                self._collect(f.type, f.fields, used, flexible_from)
                if not f.many and not f.defaults_to_null:
                    self.structs[f.type].needs_default = True
        if known is None:
            self.structs[name] = Struct(name, fields, versions, flexible_from)
        else:
            known.versions = versions

    def _layout(self, struct: Struct, version: int) -> object:
        return (
            version >= struct.flexible_from,
            tuple(
                (f.name, f.nullable_since <= version <= f.nullable_until,
                 None if f.type in SCALARS else self._layout(self.structs[f.type], version))
                for f in struct.fields
                if f.since <= version <= f.until
            ),
        )  # fmt: skip

    def _group(self, struct: Struct, fast: bool) -> None:
        low, high = struct.versions
        start = low
        for version in range(low + 1, high + 1):
            if fast:
                new = self._layout(struct, version) != self._layout(struct, version - 1)
            else:
                new = version == struct.flexible_from
            if new:
                struct.groups.append((start, version - 1))
                start = version
        struct.groups.append((start, high))

    def packer(self, code: str, kind: str) -> str:
        """The name of a Struct's bound method; `kind` is `pack` or `unpack`."""
        name = f"_{kind}_{code.replace('?', 't').replace('16s', 'u')}"
        self.packers[name] = code
        return name

    def bytes_min(self, struct: Struct, version: int) -> int:
        flexible = version >= struct.flexible_from
        return flexible + sum(
            self.field_bytes_min(f, version, flexible)
            for f in struct.fields
            if f.tag is None and f.since <= version <= f.until
        )

    def field_bytes_min(self, f: Field, version: int, flexible: bool) -> int:
        if f.many:
            return 1 if flexible else 4
        if f.type in CODES:
            return SIZES[CODES[f.type]]
        if f.type in SCALARS:
            return 1 if flexible else 2 if f.type == "string" else 4
        if f.nullable_since <= version <= f.nullable_until:
            return 1
        return self.bytes_min(self.structs[f.type], version)


def default_of(f: Field) -> str:
    if f.defaults_to_null:
        return "None"
    if f.many:
        return "()"
    if f.type not in SCALARS:
        return f"_{snake(f.type).upper()}"
    if f.type == "uuid":
        return "ZERO_UUID"
    if isinstance(f.default, str):
        return '"' + f.default + '"'
    return repr(f.default)


def differs(f: Field) -> str:
    """An expression that is true if the field is not at its default."""
    value, default = f"o.{f.name}", default_of(f)
    if default == "None":
        return f"{value} is not None"
    if default in ("()", "False", '""', "0", "b''"):
        nullable = f.nullable_since <= f.nullable_until
        return f"({value} is None or {value})" if nullable else value
    if f.type not in SCALARS:
        return f"{value} is not {default} and {value} != {default}"
    if default == "True":
        return f"not {value}"
    return f"{value} != {default}"


def type_of(f: Field) -> str:
    one = PYTHON.get(f.type, "int" if f.type in SCALARS else f.type)
    if f.many:
        one = f"Sequence[{one}]"
    return f"{one} | None" if f.nullable_since <= f.nullable_until else one


def guard(part: Versions, group: Versions) -> str:
    """The condition for `version` to be in `part`, knowing it is in `group`; empty if it always is."""
    low, high = part
    if part == group:
        return ""
    if high == group[1]:
        return f"version >= {low}"
    if low == group[0]:
        return f"version <= {high}"
    return f"version == {low}" if low == high else f"{low} <= version <= {high}"


def nullable_guard(f: Field, part: Versions) -> str | None:
    """None: never null in these versions. Otherwise the condition for null to be allowed."""
    low, high = max(f.nullable_since, part[0]), min(f.nullable_until, part[1])
    return None if low > high else guard((low, high), part)


def in_runs(struct: Struct, group: Versions) -> Iterator[tuple[str, Versions | None, list[Field]]]:
    """The untagged fields as (guard, versions, neighbors that share it), in the order of the wire."""
    pending: list[Field] = []
    last: Versions | None = None
    for f in struct.fields:
        part = overlap(f, group)
        if f.tag is not None and group[0] >= struct.flexible_from:
            continue
        if pending and part != last:
            yield guard(last, group) if last else "", last, pending
            pending = []
        last = part
        pending.append(f)
    if pending:
        yield guard(last, group) if last else "", last, pending


class Emitter:
    """Lines of one function."""

    def __init__(self, module: Module, struct: Struct, group: Versions) -> None:
        self.fast = module.fast
        self.module = module
        self.struct = struct
        self.group = group
        self.flexible = group[0] >= struct.flexible_from
        self.lines: list[str] = []
        self.indent = 1
        self.run: list[tuple[str, str]] = []
        self.loops = 0

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)

    def tagged(self) -> list[tuple[Field, Versions]]:
        """The tagged fields of the group with their versions, by ascending tag."""
        found = [(f, overlap(f, self.group)) for f in self.struct.fields if f.tag is not None]
        return sorted(((f, part) for f, part in found if part), key=lambda pair: pair[0].tag or 0)

    def nested(self, f: Field, part: Versions, verb: str) -> str:
        """The function for the struct in `f`; a group never spans two groups of what it holds."""
        struct = self.module.structs[f.type]
        group = struct.group_of(part[0])
        assert group == struct.group_of(part[1]), (self.struct.name, f.name, part)
        return f"_{verb}_{snake(f.type)}_v{group[0]}"

    def compact(self, f: Field) -> str:
        return "compact_" if self.flexible and not f.classic else ""


class ReadEmitter(Emitter):
    """`_read_x(data, at, version) -> (X, at)`."""

    def function(self) -> list[str]:
        self.emit(f"o = _new({self.struct.name})")
        for condition, part, fields in in_runs(self.struct, self.group):
            if part is None:
                self.defaults(fields)
            elif not condition:
                self.fields(fields, part)
            else:
                self.flush()
                self.emit(f"if {condition}:")
                self.indent += 1
                self.fields(fields, part)
                self.flush()
                self.indent -= 1
                self.emit("else:")
                self.indent += 1
                self.defaults(fields)
                self.indent -= 1
        if self.flexible:
            self.tags()
        self.flush()
        self.emit("return o, at")
        name, first = snake(self.struct.name), self.group[0]
        arguments = "data: memoryview, at: int, version: int"
        signature = f"def _read_{name}_v{first}({arguments}) -> tuple[{self.struct.name}, int]:"
        return [signature, *self.lines]

    def defaults(self, fields: list[Field]) -> None:
        for f in fields:
            self.emit(f"o.{f.name} = {default_of(f)}")

    def flush(self) -> None:
        if self.run:
            code = "".join(c for c, _ in self.run)
            targets = ", ".join(t for _, t in self.run)
            comma = "," if len(self.run) == 1 else ""
            unpack = self.module.packer(code, "unpack")
            self.emit(f"({targets}{comma}) = {unpack}(data, at)")
            self.emit(f"at += {sum(SIZES[c] for c, _ in self.run)}")
            self.run = []

    def fields(self, fields: list[Field], part: Versions) -> None:
        for f in fields:
            if not f.many and f.type in CODES:
                self.run.append((CODES[f.type], f"o.{f.name}"))
            else:
                self.flush()
                self.value(f, part)

    def value(self, f: Field, part: Versions) -> None:
        """Read one field of variable size."""
        null = nullable_guard(f, part)
        if f.many:
            self.array(f, part, null)
        elif f.type in SCALARS:
            plain = f"read_{self.compact(f)}{f.type}"
            nullable = f"read_{self.compact(f)}nullable_{f.type}"
            call = f'(data, at, "{f.name}")'
            if self.fast and null == "" and self.compact(f):
                self.emit("if data[at]:")
                self.emit(f"    o.{f.name}, at = {plain}{call}")
                self.emit("else:")
                self.emit(f"    o.{f.name} = None")
                self.emit("    at += 1")
            elif null is None or null == "":
                self.emit(f"o.{f.name}, at = {plain if null is None else nullable}{call}")
            else:
                self.emit(f"if {null}:")
                self.emit(f"    o.{f.name}, at = {nullable}{call}")
                self.emit("else:")
                self.emit(f"    o.{f.name}, at = {plain}{call}")
        else:
            read = f"o.{f.name}, at = {self.nested(f, part, 'read')}(data, at"
            if null is None:
                self.emit(f"{read}, version)")
            else:
                assert null == "", (self.struct.name, f.name)
                # Not null is 1 before the struct. Null is -1, and 0 in a tagged field.
                self.emit("if data[at] > 127:" if f.tag is None else "if not data[at]:")
                self.emit(f"    o.{f.name} = None")
                self.emit("    at += 1")
                self.emit("else:")
                self.emit(f"    {read} + 1, version)")

    def array(self, f: Field, part: Versions, null: str | None) -> None:
        if f.type in CODES:
            size = SIZES[CODES[f.type]]
        elif f.type in SCALARS:
            size = 1 if self.flexible else 2
        else:
            nested = self.module.structs[f.type]
            size = min(self.module.bytes_min(nested, v) for v in range(part[0], part[1] + 1))
        assert size > 0, (self.struct.name, f.name)
        if self.fast and f.type not in SCALARS:
            self.inline_array(f, part, null, size)
            return
        allowed = "False" if null is None else null or "True"
        self.emit(
            f'count, at = read_{self.compact(f)}count(data, at, {size}, "{f.name}", {allowed})'
        )
        if null is not None:
            self.emit("if count < 0:")
            self.emit(f"    o.{f.name} = None")
            self.emit("else:")
            self.indent += 1
        if f.type == "uuid":
            self.emit(f"o.{f.name}, at = read_uuids(data, at, count)")
        elif f.type == "string":
            self.emit(
                f'o.{f.name}, at = read_{self.compact(f)}strings(data, at, count, "{f.name}")'
            )
        elif f.type in CODES:
            self.emit(f'o.{f.name}, at = read_numbers(data, at, count, "{CODES[f.type]}", {size})')
        else:
            read = self.nested(f, part, "read")
            self.emit(f"o.{f.name}, at = read_structs({read}, data, at, version, count)")
        if null is not None:
            self.indent -= 1

    def inline_array(self, f: Field, part: Versions, null: str | None, size: int) -> None:
        """An array of structs without a helper's call; short ones need no look at what is there."""
        allowed = "False" if null is None else null or "True"
        self.loops += 1
        elements, one = f"all{self.loops}", f"one{self.loops}"
        read = self.nested(f, part, "read")
        arguments = f'{size}, "{f.name}", {allowed}'
        if self.flexible:
            self.emit("count = data[at] - 1")
            self.emit("at += 1")
            self.emit("if not 0 <= count < 0x7F:")
            self.emit(f"    count, at = read_compact_count(data, at - 1, {arguments})")
        else:
            self.emit(f"count, at = read_count(data, at, {arguments})")
        if null is not None:
            self.emit("if count < 0:")
            self.emit(f"    o.{f.name} = None")
            self.emit("else:")
            self.indent += 1
        self.emit(f"{elements}: list[{f.type}] = []")
        self.emit("for _ in range(count):")
        self.emit(f"    {one}, at = {read}(data, at, version)")
        self.emit(f"    {elements}.append({one})")
        self.emit(f"o.{f.name} = {elements}")
        if null is not None:
            self.indent -= 1

    def tags(self) -> None:
        known = self.tagged()
        self.defaults([f for f in self.struct.fields if f.tag is not None])
        # The tag count is one byte in all but the strangest cases: it joins a run of numbers.
        fused = bool(self.run)
        if fused:
            self.run.append(("B", "tagged"))
            self.flush()
        if not known:
            if fused:
                self.emit("if tagged:")
                self.emit("    at = skip_tags(data, at - 1)")
            else:
                self.emit("at = skip_tags(data, at) if data[at] else at + 1")
            return
        self.emit("if tagged:" if fused else "if data[at]:")
        self.indent += 1
        self.emit(f"tags, at = read_tags(data, at{' - 1' if fused else ''})")
        self.emit("for tag, start, end in tags:")
        self.indent += 1
        word = "if"
        for f, part in known:
            condition = guard(part, self.group)
            self.emit(f"{word} tag == {f.tag}{' and ' + condition if condition else ''}:")
            word = "elif"
            body = ReadEmitter(self.module, self.struct, self.group)
            body.indent = 0
            body.loops = 10 * (f.tag or 0) + 10
            body.fields([f], part)
            body.flush()
            for line in body.lines:
                line = re.sub(r"\bat\b", "start", line)
                self.emit("    " + line)
            self.emit(f'    check_tag_end(start, end, "{f.name}")')
        self.indent -= 2
        if not fused:
            self.emit("else:")
            self.emit("    at += 1")


class WriteEmitter(Emitter):
    """`_write_x(o, version, write)`."""

    writer = "write"
    inside_tag = False

    def function(self) -> list[str]:
        for condition, part, fields in in_runs(self.struct, self.group):
            if part is None:
                self.refusals(fields)
            elif not condition:
                self.fields(fields, part)
            else:
                self.flush()
                self.emit(f"if {condition}:")
                self.indent += 1
                self.fields(fields, part)
                self.flush()
                self.indent -= 1
                self.refusals(fields, orelse=True)
        if self.flexible:
            self.tags()
        self.flush()
        if not self.lines:
            self.emit("pass")
        name, first = snake(self.struct.name), self.group[0]
        return [
            f"def _write_{name}_v{first}(o: {self.struct.name}, version: int, write: Write) -> None:",
            *self.lines,
        ]

    def refusals(self, fields: list[Field], orelse: bool = False) -> None:
        """Refuse values that these versions cannot carry."""
        refused = [f for f in fields if not f.ignorable]
        if orelse and len(refused) == 1:
            self.emit(f"elif {differs(refused[0])}:")
            self.emit(f'    raise lacks("{refused[0].name}", version)')
            return
        if orelse and refused:
            self.emit("else:")
            self.indent += 1
        for f in refused:
            self.emit(f"if {differs(f)}:")
            self.emit(f'    raise lacks("{f.name}", version)')
        if orelse and refused:
            self.indent -= 1

    def flush(self) -> None:
        if len(self.run) == 1 and self.run[0][0] == "x":
            self.emit(f'{self.writer}(b"\\0")')
            self.run = []
        if self.run:
            code = "".join(c for c, _ in self.run)
            pack = self.module.packer(code, "pack")
            self.emit(f"{self.writer}({pack}({', '.join(v for c, v in self.run if c != 'x')}))")
            self.run = []

    def fields(self, fields: list[Field], part: Versions) -> None:
        for f in fields:
            if not f.many and f.type in CODES:
                self.run.append((CODES[f.type], f"o.{f.name}"))
            else:
                self.value(f, part)

    def value(self, f: Field, part: Versions) -> None:
        null = nullable_guard(f, part)
        if self.inside_tag and f.defaults_to_null:
            # Null is the default, and a tagged field at its default is not written at all.
            if f.type not in SCALARS and not f.many:
                self.emit(f'{self.writer}(b"\\x01")')
            null = None
        elif null is None and f.nullable_since <= f.nullable_until:
            # The class allows None for the sake of other versions.
            self.flush()
            self.emit(f"if o.{f.name} is None:")
            self.emit(f'    raise null_refused("{f.name}", version)')
        elif null:
            self.flush()
            self.emit(f"if o.{f.name} is None and not ({null}):")
            self.emit(f'    raise null_refused("{f.name}", version)')
        if f.many:
            self.array(f, part, null is not None)
        elif f.type in ("string", "bytes"):
            self.flush()
            word = "octets" if f.type == "bytes" else "string"
            nullable = "nullable_" if null is not None else ""
            self.emit(f"{self.writer}({self.compact(f)}{nullable}{word}(o.{f.name}))")
        elif f.type == "records":
            self.payload(f, null is not None)
        else:
            self.flush()
            write = f"{self.nested(f, part, 'write')}(o.{f.name}, version, {self.writer})"
            if null is None:
                self.emit(write)
            else:
                self.emit(f"if o.{f.name} is None:")
                self.emit(f'    {self.writer}(b"\\xff")')
                self.emit("else:")
                self.emit(f'    {self.writer}(b"\\x01")')
                self.emit("    " + write)

    def count(self, f: Field, nullable: bool) -> None:
        """Write the length of an array or of records; leaves an open block if it may be null."""
        compact = bool(self.compact(f))
        if nullable:
            self.flush()
            self.emit(f"if o.{f.name} is None:")
            null = r"\0" if compact else r"\xff\xff\xff\xff"
            self.emit(f'    {self.writer}(b"{null}")')
            self.emit("else:")
            self.indent += 1
        if compact:
            self.flush()
            self.emit(f"{self.writer}(uvarint(len(o.{f.name}) + 1))")
        else:
            self.run.append(("i", f"len(o.{f.name})"))
            self.flush()

    def payload(self, f: Field, nullable: bool) -> None:
        self.count(f, nullable)
        self.emit(f"{self.writer}(PAYLOAD)")
        self.emit(f"{self.writer}(o.{f.name})")
        if nullable:
            self.indent -= 1

    def array(self, f: Field, part: Versions, nullable: bool) -> None:
        self.count(f, nullable)
        if f.type in CODES and f.type != "uuid":
            self.emit(f'{self.writer}(numbers(o.{f.name}, "{CODES[f.type]}"))')
        elif f.type == "uuid":
            self.emit(f"for value in o.{f.name}:")
            self.emit(f"    {self.writer}({self.module.packer('16s', 'pack')}(value))")
        elif f.type == "string":
            self.emit(f"for text in o.{f.name}:")
            self.emit(f"    {self.writer}({self.compact(f)}string(text))")
        else:
            # Elements of two arrays have two types, hence two names.
            self.loops += 1
            variable = "one" if self.loops == 1 else f"one{self.loops}"
            self.emit(f"for {variable} in o.{f.name}:")
            write = self.nested(f, part, "write")
            self.emit(f"    {write}({variable}, version, {self.writer})")
        if nullable:
            self.indent -= 1

    def tags(self) -> None:
        known = self.tagged()
        unknown = [
            f for f in self.struct.fields if f.tag is not None and not overlap(f, self.group)
        ]
        self.refusals(unknown)
        if not known:
            self.run.append(("x", ""))
            self.flush()
            return
        self.flush()
        self.emit("tags: list[tuple[int, list[Payload]]] = []")
        for f, part in known:
            condition = guard(part, self.group)
            if condition:
                self.emit(f"if {condition}:")
                self.indent += 1
            self.emit(f"if {differs(f)}:")
            self.emit("    part: list[Payload] = []" if f is known[0][0] else "    part = []")
            body = WriteEmitter(self.module, self.struct, self.group)
            body.writer = "part.append"
            body.inside_tag = True
            body.loops = self.loops
            body.indent = self.indent + 1
            body.fields([f], part)
            body.flush()
            self.lines += body.lines
            self.loops = body.loops
            self.emit(f"    tags.append(({f.tag}, part))")
            if condition:
                self.indent -= 1
                self.refusals([f], orelse=True)
        self.emit('write(tag_section(tags) if tags else b"\\0")')
