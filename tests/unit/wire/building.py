"""Messages made from the schema: out of golden fields, or out of a seeded random source."""

import importlib
import json
import math
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from uuid import UUID

from schema.language import ApiSchema, Body, Field, StoredSchema

from ottla.wire.shape import Struct

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1), "int16": (-(2**15), 2**15 - 1), "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip
TEXTS = ("", "a", "topic-1", "ключ", "é" * 100, "x" * 200)

Json = dict[str, object]


@cache
def api_schemas() -> dict[int, ApiSchema]:
    found = [runpy.run_path(str(p))["API"] for p in sorted((ROOT / "schema").glob("[0-9]*.py"))]
    return {api.key: api for api in found}


@cache
def stored_schemas() -> tuple[StoredSchema, ...]:
    paths = sorted((ROOT / "schema/stored").glob("*.py"))
    return tuple(runpy.run_path(str(p))["RECORD"] for p in paths)


@cache
def bodies() -> dict[str, tuple[ApiSchema, Body]]:
    return {b.name: (a, b) for a in api_schemas().values() for b in (a.request, a.response)}


@cache
def stored_bodies() -> dict[str, tuple[StoredSchema, Body]]:
    return {b.name: (r, b) for r in stored_schemas() for b in r.bodies}


def snake(name: str) -> str:
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))
    return str(importlib.import_module("gen_codec").snake(name))


@cache
def classes(owner: ApiSchema | StoredSchema) -> dict[str, type[Struct]]:
    package = "message" if isinstance(owner, ApiSchema) else "stored"
    return vars(importlib.import_module(f"ottla.wire.{package}.{snake(owner.name)}"))


@cache
def struct_fields(owner: ApiSchema | StoredSchema) -> dict[str, tuple[Field, ...]]:
    """The fields of each struct: a second use of a name repeats none."""
    found: dict[str, tuple[Field, ...]] = {}
    parts = [owner.request, owner.response] if isinstance(owner, ApiSchema) else list(owner.bodies)
    todo = [(body.name, body.fields) for body in parts]
    for name, fields in todo:
        found[name] = fields
        todo += [(f.type, f.fields) for f in fields if f.fields is not None]
    return found


def from_json(owner: ApiSchema | StoredSchema, name: str, fields: Json) -> Struct:
    """A struct out of golden fields; what they leave out stays at its default."""
    known = {f.name: f for f in struct_fields(owner)[name]}
    values = {}
    for key, value in fields.items():
        f = known[key]
        if value is None:
            values[key] = None
        elif f.many:
            assert isinstance(value, list)
            values[key] = [_one(owner, f, v) for v in value]
        else:
            values[key] = _one(owner, f, value)
    return classes(owner)[name](**values)


def _one(owner: ApiSchema | StoredSchema, f: Field, value: object) -> object:
    if f.type in ("bytes", "records"):
        return bytes.fromhex(str(value))
    if f.type == "uuid":
        return UUID(str(value)).bytes
    if isinstance(value, dict):
        return from_json(owner, f.type, value)
    return value


def golden(name: str) -> Iterator[list]:
    with (GOLDEN / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def drawn(owner: ApiSchema | StoredSchema, name: str, version: int, random: Random) -> Struct:
    """A struct in which every field of `version` has a value out of `random`."""
    values = {}
    for f in struct_fields(owner)[name]:
        if not f.since <= version <= f.until:
            continue
        nullable = f.nullable_since <= version <= f.nullable_until
        if nullable and random.random() < 0.2:
            values[f.name] = None
        elif f.tag is not None and random.random() < 0.3:
            continue
        elif f.many:
            size = (
                random.choice((0, 1, 1, 2, 3)) if f.type not in INTEGERS else random.randrange(200)
            )
            values[f.name] = [_drawn_one(owner, f, version, random) for _ in range(size)]
        else:
            values[f.name] = _drawn_one(owner, f, version, random)
    return classes(owner)[name](**values)


def _drawn_one(owner: ApiSchema | StoredSchema, f: Field, version: int, random: Random) -> object:
    if f.type in INTEGERS:
        low, high = INTEGERS[f.type]
        return random.choice((low, -1 if low < 0 else 1, 0, 1, high, random.randint(low, high)))
    if f.type == "bool":
        return random.random() < 0.5
    if f.type == "float64":
        return random.choice((0.0, -1.5, math.pi, math.inf))
    if f.type == "string":
        return random.choice(TEXTS)
    if f.type in ("bytes", "records"):
        return random.randbytes(random.choice((0, 1, 130, 300)))
    if f.type == "uuid":
        return random.randbytes(16)
    return drawn(owner, f.type, version, random)
