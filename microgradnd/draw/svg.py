"""Graphviz's SVG made ours: with text alternatives, dark where the reader's system is, bare for the step-through page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from .description import Description
from .dot import doubt, plain
from .numbers import short
from .style import ADAPTIVE, dark_style

_SVG = "http://www.w3.org/2000/svg"


def accessible(svg: bytes, d: Description, adaptive: bool) -> str:
    """The picture with a role, titles and descriptions for who can't see it, and dark colours for who prefers them."""
    root = _parsed(svg)
    title = f"Computation graph of {plain(d.title)}"
    root.set("role", "img")
    root.set("aria-label", title)
    texts = {**{n.id: node_text(n) for n in d.nodes}, **{e.id: edge_text(e, d) for e in d.edges}}
    texts |= {g.id: f"group {plain(g.name)}, {g.parameters} parameters, {g.ops} ops" for g in d.groups}
    for part in root.iter(f"{{{_SVG}}}g"):
        own = part.find(f"{{{_SVG}}}title")
        if own is not None and part.get("id") in texts:
            own.text = texts[part.get("id") or ""]
    for tag, text in (("desc", _summary(d)), ("title", title)):
        element = ET.Element(f"{{{_SVG}}}{tag}")
        element.text = text
        root.insert(0, element)
    if adaptive:
        _adapt(root, 2)
    return ET.tostring(root, encoding="unicode")


def bare(svg: bytes, adaptive: bool) -> str:
    """The picture without texts that pop up, and as large as what it stands in: the page says what there is to say."""
    root = _parsed(svg)
    for part in root.iter(f"{{{_SVG}}}g"):
        own = part.find(f"{{{_SVG}}}title")
        if own is not None:
            part.remove(own)
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    if adaptive:
        _adapt(root, 0)
    return re.sub(r">\s+<", "><", ET.tostring(root, encoding="unicode"))


def _parsed(svg: bytes) -> ET.Element:
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ET.fromstring(svg)  # noqa: S314 - our own Graphviz wrote it


def _adapt(root: ET.Element, at: int) -> None:
    """Dark colours where the reader's system is dark."""
    style = ET.Element(f"{{{_SVG}}}style")
    style.text = dark_style({part.get(k, "") for part in root.iter() for k in ("fill", "stroke")})
    root.insert(at, style)
    root.set("class", ADAPTIVE)


def _summary(d: Description) -> str:
    counts: dict[str, int] = {}
    for n in d.nodes:
        counts[n.kind] = counts.get(n.kind, 0) + 1
    kinds = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
    lines = "; ".join(f"{plain(n.name)} = {plain(n.formula)}" for n in d.nodes[:60] if n.op is not None)
    return f"{kinds}. {lines}."


def node_text(n: Any) -> str:
    """A node in words."""
    head = f"{plain(n.name)} = {plain(n.formula)}" if n.op is not None else f"{n.kind} {plain(n.name)}"
    parts = [head, f"shape {n.value.shape}", n.value.dtype, f"value {_array_text(n.value)}"]
    if n.cotangent:
        parts.append("gradient not computed" if n.gradient is None else f"gradient {_array_text(n.gradient)}")
    if n.stale:
        parts.append("changed since it was recorded")
    if doubt(n):
        parts.append(doubt(n))
    return "; ".join(parts)


def edge_text(e: Any, d: Description) -> str:
    """An edge in words."""
    names = {n.id: plain(n.name) for n in d.nodes}
    text = f"{names[e.source]} to {names[e.target]}"
    return text + (f"; back: {plain(e.derivative or e.rule)}" if e.rule else "") + (f"; {e.note}" if e.note else "")


def _array_text(a: Any) -> str:
    if a.values is not None and a.size <= 12:
        return ", ".join(map(short, a.values)) or "empty"
    if a.least is None:
        return "no finite number"
    return f"from {short(a.least)} to {short(a.greatest)}, mean {short(a.mean)}"
