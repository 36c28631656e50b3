"""Text as Java writes it: numbers, JSON, time stamps, settings files, of which scripts read every byte.

Java prints a double so that it reads back the same, with at least one digit after the point, and by
powers of ten below 0.001 and from ten million on: `java_double(1e7) == "1.0E7"`. Jackson escapes what
JSON demands, with capital digits, and nothing else.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_PLAIN_FROM: Final = 1e-3
_PLAIN_END: Final = 1e7
_ESCAPES: Final = {code: f"\\u{code:04X}" for code in range(32)} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\b"): "\\b",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\f"): "\\f",
    ord("\r"): "\\r",
}


def java_double(value: float) -> str:
    """`Double.toString`: 0.5, 100.0, 1.0E10, NaN."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_END:
        text = f"{Decimal(repr(value)):f}"
        return text if "." in text else text + ".0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    power = exponent + len(digits) - 1
    rest = "".join(map(str, digits[1:])).rstrip("0") or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{power}"


def java_rounded(value: float, places: int) -> str:
    """`%.2f` of Java, which rounds halves up, not to even: 0.125 is 0.13; NaN and Infinity."""
    if math.isnan(value) or math.isinf(value):
        return java_double(value)
    from decimal import ROUND_HALF_UP

    return str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def java_json(value: Json) -> str:
    """One line without spaces, as Jackson prints it; members in the order they are in."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = java_double(value)
        return text if math.isfinite(value) else f'"{text}"'
    if isinstance(value, Mapping):
        members = (f"{java_json(name)}:{java_json(one)}" for name, one in value.items())
        return f"{{{','.join(members)}}}"
    return f"[{','.join(map(java_json, value))}]"
