"""Description -> DOT: where everything stands is Graphviz's to find, what it looks like is said here.

Nothing from outside gets into DOT but through `quoted` or `html`, ids are our own, so that no name, op or
formula can end a string, open a tag or be taken for one of Graphviz's escapes.
"""

from __future__ import annotations

import html as html_
import math
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from .arrays import Array
from .description import Description, Edge, Group, Node
from .levels import MOST
from .numbers import short
from .style import CELL_INK, CELL_RIM, DARK, KINDS, LIGHT, Theme, shade

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
MOST_TEXT = 64  # characters of one line
WIDTH, MOST_LINES = 56, 4  # of a formula
MOST_NODES_WITH_CELLS, ALWAYS = 60, 4  # nodes up to which arrays are shaded cells; elements up to which they always are
DIGITS_ROWS, DIGITS_COLUMNS, DIGITS_SIZE = 8, 6, 24  # cells show their digits up to this size
_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
UNSEEN = dict.fromkeys([*_BIDI, *range(0x7F, 0xA0)], "\ufffd")  # characters that would turn the text around them about


def plain(text: str, most: int = MOST_TEXT) -> str:
    """`text` without anything that XML or a terminal would not take as a printed character."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Zl", "Zp") or ord(c) in _BIDI else c for c in text
    )


def quoted(text: str) -> str:
    r"""`text` as a DOT string that draws as itself.

    >>> print(quoted('a"]->b \\N <b>'))
    "a\"]->b \\N <b>"
    """
    lines = (plain(line).replace("\\", "\\\\").replace("&", "&amp;").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def html(text: str) -> str:
    """`text` as part of an HTML-like label.

    >>> html("<script>")
    '&lt;script&gt;'
    """
    return html_.escape(plain(text))


def wrapped(text: str) -> str:
    """`text` as part of an HTML-like label, on several lines if it is long."""
    lines = textwrap.wrap(plain(text, MOST_LINES * WIDTH), WIDTH, break_long_words=True)
    return "<BR/>".join(html_.escape(line) for line in lines) or " "


def to_dot(d: Description, *, values: bool = True, grads: bool = True, group: bool = True, dark: bool = False) -> str:
    """A description as DOT.

    Parameters
    ----------
    values, grads
        Whether nodes show their arrays; whether gradients and local derivatives are shown.
    group
        Whether scopes are drawn as boxes.
    dark
        Draw in the dark theme's colours.
    """
    theme = DARK if dark else LIGHT
    hurry = _HURRY if len(d.nodes) > MOST else ""
    numbers = values and len(d.edges) <= MOST_EDGES_WITH_NUMBERS
    graph = (
        f'graph [{hurry}rankdir=TB, bgcolor="{theme.paper}", fontname="{FONT}", fontsize=11, fontcolor="{theme.ink}", '
        f"nodesep=0.35, ranksep=0.45, labelloc=t, labeljust=l, label={_caption(d, grads, theme)}]"
    )
    lines = [
        "digraph {",
        graph,
        f'node [fontname="{FONT}", fontsize=11, fontcolor="{theme.ink}", margin="0.06,0.04", style=filled, penwidth=1.4]',
        f'edge [fontname="{FONT}", fontsize=9, fontcolor="{theme.gradient}", color="{theme.edge}", arrowsize=0.7]',
    ]
    arriving: dict[str, list[Edge]] = {}
    for e in d.edges:
        if e.carries:
            arriving.setdefault(e.source, []).append(e)
    shown = _Shown(values, grads, len(d.nodes) <= MOST_NODES_WITH_CELLS)
    names = {n.id: n.name for n in d.nodes}
    cotangents = {n.id: n.cotangent for n in d.nodes}
    if group:
        lines += _clusters(d, theme, {n.id: _node(n, arriving.get(n.id, []), names, shown, theme) for n in d.nodes})
    else:
        lines += [_node(n, arriving.get(n.id, []), names, shown, theme) for n in d.nodes]
    shared = {source for source, edges in arriving.items() if len(edges) > 1}
    lines += [_edge(e, cotangents[e.source], e.source in shared, grads, numbers, theme) for e in d.edges]
    return "\n".join([*lines, "}", ""])


MOST_EDGES_WITH_NUMBERS = 40
# A graph of hundreds of nodes is laid out in a second instead of minutes, if less well: fewer rounds, straight lines.
_HURRY = "nslimit=1, nslimit1=1, mclimit=0.3, splines=line, "


class _Shown(NamedTuple):
    """What nodes show: arrays, gradients; and whether the picture is small enough for shades."""

    values: bool
    grads: bool
    small: bool


# -- nodes ------------------------------------------------------------------------------------------
def _node(n: Node, arriving: list[Edge], names: dict[str, str], shown: _Shown, theme: Theme) -> str:
    kind = n.kind
    head = f"<B>{html(n.name)}</B>"
    if n.op is not None and n.formula:
        head += f"\u00a0= {wrapped(n.formula)}"  # a plain space at the start of a text is lost in an SVG
    rows = [f'<TR><TD COLSPAN="2" ALIGN="CENTER">{head}</TD></TR>']
    if n.holds is not None:
        inside = [f"{n.holds.ops:,} ops"] + [f"{n.holds.parameters:,} parameters"] * bool(n.holds.parameters)
        rows.append(_small(", ".join(inside), theme.faint))
        rows.append(_small(f"gives {n.formula}", theme.faint))
    facts = f"{n.value.shape} {n.value.dtype}"
    rows.append(_small(facts, theme.faint))
    if n.stale:
        rows.append(_small("changed since it was recorded (stale)", theme.gradient))
    if doubt(n):
        rows.append(_small(doubt(n), theme.gradient))
    if shown.values:
        rows.append(_array_row("value", n.value, theme.ink, shown.small))
    if shown.grads and n.cotangent:
        if n.gradient is None:
            rows.append(_small("gradient: not computed", theme.faint))
        else:
            rows.append(_array_row("gradient", n.gradient, theme.gradient, shown.small))
            if len(arriving) > 1 and all(e.contribution is not None for e in arriving):
                ways = " + ".join(names[e.target] for e in arriving)
                rows.append(_small(f"sum of {len(arriving)} contributions, from {ways}", theme.gradient))
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">{"".join(rows)}</TABLE>'
    return (
        f'{n.id} [id="{n.id}", class="{kind}", {KINDS[kind][0]}, fillcolor="{theme.fills[kind]}", '
        f'color="{theme.rims[kind]}", label=<{table}>]'
    )


def doubt(n: Node) -> str:
    """What is known where something was changed and it is not known what; else empty."""
    if not n.suspects:
        return f"perhaps stale: see {n.suspected}" if n.suspected else ""
    *others, last = n.suspects
    which = f"{', '.join(others)} or {last}" if others else last
    return f"stale: {which} was written to since, without touch()"


def _small(text: str, colour: str) -> str:
    return f'<TR><TD COLSPAN="2" ALIGN="CENTER"><FONT POINT-SIZE="9" COLOR="{colour}">{html(text)}</FONT></TD></TR>'


def _array_row(title: str, array: Array, colour: str, small: bool) -> str:
    return (
        f'<TR><TD ALIGN="RIGHT"><FONT POINT-SIZE="9" COLOR="{colour}">{title}</FONT></TD>'
        f'<TD ALIGN="LEFT">{array_cells(array, colour, small)}</TD></TR>'
    )


def array_cells(array: Array, colour: str, small: bool = True) -> str:
    """An array as a table of shaded cells: with digits while small, else a heat map with range and mean.

    In a picture that is not `small`, range and mean alone.
    """
    if not array.size:
        return f'<FONT POINT-SIZE="9" COLOR="{colour}">empty</FONT>'
    rows = _rows(array)
    shown = [abs(v) for row in rows for v in row if math.isfinite(v)]
    most = max(
        shown, default=0.0
    )  # of what is shown: means over blocks are far smaller than the extremes, and would be pale
    digits = (
        array.values is not None
        and array.size <= (DIGITS_SIZE if small else ALWAYS)
        and len(rows) <= DIGITS_ROWS
        and len(rows[0]) <= DIGITS_COLUMNS
    )
    body = "".join(f"<TR>{''.join(_cell(v, most, digits) for v in row)}</TR>" for row in rows)
    inner = "1" if digits else "0"
    fixed = "" if digits else f' FIXEDSIZE="TRUE" WIDTH="{9 * len(rows[0]) + 4}" HEIGHT="{9 * len(rows) + 4}"'
    table = (
        f'<TABLE BORDER="1" COLOR="{CELL_RIM}" CELLBORDER="0" CELLSPACING="{inner}" CELLPADDING="{2 if digits else 0}"{fixed}>'
        f"{body}</TABLE>"
    )
    if digits:
        return table
    return _heat_map(array, table if small else "", colour)


def _heat_map(array: Array, table: str, colour: str) -> str:
    """A table of shades, if there is one, over the array's range and mean."""
    span = "no finite number" if array.least is None else f"{short(array.least)} … {short(array.greatest or 0.0)}"
    mean = "" if array.mean is None else f", mean {short(array.mean)}"
    odd = f", {array.odd} not finite" if array.odd else ""
    shades = f"<TR><TD>{table}</TD></TR>" if table else ""
    caption = f'<TR><TD><FONT POINT-SIZE="8" COLOR="{colour}">{span}{mean}{odd}</FONT></TD></TR>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{shades}{caption}</TABLE>'


def _rows(array: Array) -> list[tuple[float, ...]]:
    if array.values is None:
        return list(array.grid or ())
    width = array.shape[-1] if array.shape else 1
    return [array.values[i : i + width] for i in range(0, len(array.values), width)]


def _cell(value: float, most: float, digits: bool) -> str:
    colour = shade(value, most)
    if not digits:
        return f'<TD BGCOLOR="{colour}" FIXEDSIZE="TRUE" WIDTH="9" HEIGHT="9"></TD>'
    return f'<TD BGCOLOR="{colour}"><FONT POINT-SIZE="9" COLOR="{CELL_INK}">{short(value)}</FONT></TD>'


# -- edges ------------------------------------------------------------------------------------------
def _edge(e: Edge, cotangent: str, shared: bool, grads: bool, numbers: bool, theme: Theme) -> str:
    attributes = [f'id="{e.id}"']
    if grads and e.carries:
        attributes += ["dir=both", "arrowtail=empty"]
        if e.rule:
            attributes.append(f"label={_edge_label(e, cotangent, shared, numbers, theme)}")
    elif grads:
        attributes.append("style=dashed")
    return f"{e.source} -> {e.target} [{', '.join(attributes)}]"


def _edge_label(e: Edge, cotangent: str, shared: bool, numbers: bool, theme: Theme) -> str:
    rows = [wrapped("↑ " + (e.derivative or f"{cotangent} = {e.rule}"))]
    if numbers and e.slope is not None and 1 <= e.slope.size <= DIGITS_SIZE:
        rows += _slope_rows(e.slope, e.derivative, theme)
    if e.note:
        rows.append(html(e.note))
    if shared and numbers and e.contribution is not None and e.contribution.size <= DIGITS_SIZE:
        rows.append("contributes ")
        rows.append(array_cells(e.contribution, theme.gradient))
    body = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{body}</TABLE>>'


def _slope_rows(slope: Array, derivative: str, theme: Theme) -> list[str]:
    """The numbers of a local derivative: once if they are all the same, and not at all if the formula is that number."""
    if slope.least is None or slope.odd or slope.least != slope.greatest:
        return [array_cells(slope, theme.gradient)]
    value = short(slope.least)
    if derivative.endswith(f"= {value}"):
        return []
    return [f"all {value}"] if slope.size > 1 else [array_cells(slope, theme.gradient)]


# -- groups and caption -------------------------------------------------------------------------------
def _clusters(d: Description, theme: Theme, drawn: dict[str, str]) -> list[str]:
    """Nodes inside the boxes of their groups, boxes inside boxes."""
    inside: dict[str | None, list[Node]] = {}
    for n in d.nodes:
        inside.setdefault(n.group, []).append(n)
    children: dict[str | None, list[Group]] = {}
    for g in d.groups:
        children.setdefault(g.parent, []).append(g)
    lines = [drawn[n.id] for n in inside.get(None, [])]
    stack: list[Group | str] = list(reversed(children.get(None, [])))
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            lines.append(top)
            continue
        g = top
        label = g.name + (f"   {g.parameters:,} parameters" if g.parameters else "")
        lines.append(
            f'subgraph cluster_{g.id} {{ id="{g.id}"; class="group"; style=rounded; color="{theme.box}"; '
            f'fontcolor="{theme.faint}"; fontsize=11; label={quoted(label)};'
        )
        lines += [drawn[n.id] for n in inside.get(g.id, [])]
        stack.append("}")
        stack += reversed(children.get(g.id, []))
    return lines


def _caption(d: Description, grads: bool, theme: Theme) -> str:
    kinds = _in_order(n.kind for n in d.nodes)
    squares = "   ".join(f'<FONT COLOR="{theme.rims[k]}">■</FONT> {html(KINDS[k][1])}' for k in kinds)
    how = ""
    if grads and any(n.gradient is not None for n in d.nodes):
        how = (
            f'<BR ALIGN="LEFT"/><FONT POINT-SIZE="10" COLOR="{theme.faint}">values flow down; gradients of {html(d.seed)} flow back up, '
            "multiplied by each edge’s derivative</FONT>"
        )
    return f'<<FONT POINT-SIZE="10">{squares}</FONT>{how}<BR ALIGN="LEFT"/>>'


def _in_order(kinds: Iterable[str]) -> list[str]:
    found = set(kinds)
    return [k for k in KINDS if k in found]
