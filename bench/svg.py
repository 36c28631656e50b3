"""Line charts as SVG text: panels side by side, each with a logarithmic x axis of given points.

Small on purpose, so that the pictures can be committed and read as a difference: whole coordinates, no
scripts, no style sheets, and a white ground, as a page may be shown on black.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

PANEL_WIDTH: Final = 380
HEIGHT: Final = 300
LEFT: Final = 56
RIGHT: Final = 16
TOP: Final = 66
BOTTOM: Final = 48
COLORS: Final = ("#0b62c4", "#d9480f", "#7a8288", "#2b8a3e")
GRID: Final = "#e3e6e8"
INK: Final = "#22262a"
BAND: Final = "#dceafa"
TICKS_MAX: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`points` of the x axis have labels; `across` says what they count. `lines`: what is drawn, by
    name, with a value for each point; all panels of a chart have the same names. `band`: what lies
    between two values is shaded. `is_log`: the y axis too, else it begins at 0."""

    title: str
    unit: str
    across: str
    points: Mapping[int, str]
    lines: Mapping[str, Mapping[int, float]]
    band: tuple[float, float] | None = None
    is_log: bool = False

    def x(self, point: int) -> int:
        low, high = log10(min(self.points)), log10(max(self.points))
        share = (log10(point) - low) / (high - low or 1)
        return round(LEFT + share * (PANEL_WIDTH - LEFT - RIGHT))

    def y(self, value: float) -> int:
        low, high = self._range()
        if self.is_log:
            low, high, value = log10(low), log10(high), log10(value)
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM))

    def ticks(self) -> list[float]:
        """Round numbers, from the bottom of the axis to its top."""
        highest = max(self._values())
        if self.is_log:
            low, high = floor(log10(min(self._values()))), ceil(log10(highest))
            return [10.0**power for power in range(low, max(high, low + 1) + 1)]
        step = 10.0 ** floor(log10(highest))
        for smaller in (0.1, 0.2, 0.5, 1.0, 2.0):
            if highest / (step * smaller) <= TICKS_MAX:
                step *= smaller
                break
        return [step * number for number in range(ceil(highest / step) + 1)]

    def _values(self) -> list[float]:
        found = [value for line in self.lines.values() for value in line.values()]
        return [*found, *(self.band or ())]

    def _range(self) -> tuple[float, float]:
        ticks = self.ticks()
        return ticks[0], ticks[-1]


def chart(panels: Sequence[Panel]) -> str:
    width = PANEL_WIDTH * len(panels)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" '
        f'height="{HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="11" fill="{INK}">'
    )
    ground = f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>'
    drawn = (part for at, panel in enumerate(panels) for part in _panel(panel, at * PANEL_WIDTH))
    return "\n".join((head, ground, *_legend(list(panels[0].lines)), *drawn, "</svg>\n"))


def _legend(names: Sequence[str]) -> Iterator[str]:
    x = LEFT
    for at, name in enumerate(names):
        yield f'<path d="M{x} 18h22" {_stroke(at)}/>'
        yield _text(x + 28, 22, name, weight="bold" if at == 0 else "normal")
        x += 48 + 7 * len(name)


def _panel(panel: Panel, left: int) -> Iterator[str]:
    right, bottom = PANEL_WIDTH - RIGHT, HEIGHT - BOTTOM
    yield f'<g transform="translate({left} 0)">'
    yield _text(LEFT, TOP - 16, panel.title, size=12)
    if panel.band is not None:
        low, high = (panel.y(value) for value in panel.band)
        yield (
            f'<rect x="{LEFT}" y="{high}" width="{right - LEFT}" height="{low - high}" fill="{BAND}"/>'
        )
    for tick in panel.ticks():
        y = panel.y(tick)
        yield f'<path d="M{LEFT} {y}H{right}" stroke="{GRID}" fill="none"/>'
        yield _text(LEFT - 6, y + 4, f"{tick:,g}", anchor="end")
    yield _text(LEFT - 6, TOP - 16, panel.unit, anchor="end")
    for point, label in panel.points.items():
        x = panel.x(point)
        yield f'<path d="M{x} {bottom}v4" stroke="{INK}" fill="none"/>'
        anchor = "end" if point == max(panel.points) else "middle"
        yield _text(x + (8 if anchor == "end" else 0), bottom + 18, label, anchor=anchor)
    yield _text((LEFT + right) // 2, bottom + 38, panel.across, anchor="middle")
    # The first line is what it is about: drawn last, over the others.
    for at, line in reversed(list(enumerate(panel.lines.values()))):
        places = [(panel.x(point), panel.y(value)) for point, value in line.items()]
        if places:
            yield f'<path d="M{" L".join(f"{x} {y}" for x, y in places)}" {_stroke(at)}/>'
        for x, y in places:
            yield f'<circle cx="{x}" cy="{y}" r="{3 if at == 0 else 2}" fill="{_color(at)}"/>'
    yield "</g>"


def _stroke(at: int) -> str:
    return f'stroke="{_color(at)}" stroke-width="{2.5 if at == 0 else 1.5}" fill="none"'


def _color(at: int) -> str:
    return COLORS[at % len(COLORS)]


def _text(
    x: int, y: int, text: str, *, anchor: str = "start", size: int = 11, weight: str = "normal"
) -> str:
    more = "" if anchor == "start" else f' text-anchor="{anchor}"'
    more += "" if size == 11 else f' font-size="{size}"'
    more += "" if weight == "normal" else f' font-weight="{weight}"'
    return f'<text x="{x}" y="{y}"{more}>{escape(text)}</text>'
