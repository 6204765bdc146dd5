"""Shapes and colours of the pictures, light and dark, and the scale that shades numbers.

Kinds are told apart by shape as well as by colour; the hues are Okabe and Ito's, which people with any
colour vision can tell apart (https://jfly.uni-koeln.de/color/). Numbers are shaded from blue through
white to orange, with zero in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass

KINDS: dict[str, tuple[str, str]] = {  # kind -> Graphviz attributes of its shape, how the legend calls it
    "parameter": ('shape=box, style="filled,rounded", penwidth=2.6', "parameter"),
    "input": ("shape=note", "input"),
    "constant": ('shape=box, style="filled,dashed"', "constant"),
    "op": ("shape=box", "op"),
    "pullback": ("shape=component", "op of a backward pass"),
    "group": ("shape=folder", "closed"),
    "result": ("shape=box, peripheries=2", "result"),
}


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a picture that aren't numbers' shades."""

    paper: str
    ink: str
    faint: str
    edge: str
    gradient: str
    box: str
    fills: dict[str, str]
    rims: dict[str, str]


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b1f24",
    faint="#57606b",
    edge="#5f6b78",
    gradient="#9a3412",
    box="#aab4bf",
    fills={
        "parameter": "#fff4d6",
        "input": "#dff5ec",
        "constant": "#f0f1f3",
        "op": "#eaf4fc",
        "pullback": "#faeaf3",
        "group": "#e4ecf5",
        "result": "#fde7dc",
    },
    rims={
        "parameter": "#b77a00",
        "input": "#00805c",
        "constant": "#77808a",
        "op": "#2f7fb5",
        "pullback": "#b0568a",
        "group": "#46678a",
        "result": "#c45100",
    },
)
DARK = Theme(
    paper="#14181d",
    ink="#f1f3f5",
    faint="#aeb7c1",
    edge="#96a2af",
    gradient="#ffb088",
    box="#566270",
    fills={
        "parameter": "#3b2f10",
        "input": "#10352a",
        "constant": "#2b3036",
        "op": "#15314a",
        "pullback": "#3d2034",
        "group": "#22344a",
        "result": "#45230f",
    },
    rims={
        "parameter": "#e6a817",
        "input": "#2fc598",
        "constant": "#98a2ad",
        "op": "#6bb7ea",
        "pullback": "#e08fbb",
        "group": "#8fb3d9",
        "result": "#ff8a45",
    },
)

CELL_INK, CELL_RIM, ODD = "#101010", "#c9cdd2", "#d9b8e8"  # the same in light and dark: cells keep their shades
_NEGATIVE, _ZERO, _POSITIVE = (0x5B, 0x9B, 0xD5), (0xFA, 0xFA, 0xFA), (0xE8, 0x92, 0x3C)


def shade(value: float, most: float) -> str:
    """The colour of a number on a scale from -most (blue) through 0 (white) to most (orange).

    >>> shade(0.0, 2.0), shade(-2.0, 2.0), shade(2.0, 2.0)
    ('#fafafa', '#5b9bd5', '#e8923c')
    """
    if not math.isfinite(value):
        return ODD
    share = min(abs(value) / most, 1.0) if most else 0.0
    end = _NEGATIVE if value < 0 else _POSITIVE
    return "#" + "".join(f"{round(z + (e - z) * share):02x}" for z, e in zip(_ZERO, end, strict=True))


ADAPTIVE = "microgradnd-adaptive"  # the class of pictures that follow the reader's system, or the page they are in
_LIGHT_PAGE = (
    '[data-jp-theme-light="true"] *, [data-theme="light"] *'  # inside JupyterLab, or documentation, that is light
)
_DARK_PAGE = ':is([data-jp-theme-light="false"], [data-theme="dark"])'


def dark_style(used: Container[str]) -> str:
    """CSS that turns the light theme's colours into the dark one's, in our pictures alone: others share a notebook.

    Only for the colours `used`.

    A page that says which theme it has, as JupyterLab does, is followed; otherwise it is the system that is.
    """
    system = f"@media (prefers-color-scheme: dark){{{_dark_rules(f'.{ADAPTIVE}:not({_LIGHT_PAGE})', used)}}}"
    return system + _dark_rules(f"{_DARK_PAGE} .{ADAPTIVE}", used)


def _dark_rules(picture: str, used: Container[str]) -> str:
    pairs = {getattr(LIGHT, f): getattr(DARK, f) for f in ("paper", "ink", "faint", "edge", "gradient", "box")}
    for part in ("fills", "rims"):
        light, dark = getattr(LIGHT, part), getattr(DARK, part)
        pairs.update({light[kind]: dark[kind] for kind in light})
    return "".join(
        f'{picture} [fill="{a}"]{{fill:{b}}}{picture} [stroke="{a}"]{{stroke:{b}}}'
        for a, b in pairs.items()
        if a in used
    )
