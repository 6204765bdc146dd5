"""The step-through page: one HTML file that plays the forward and the backward pass, offline.

`pages` puts together the graph as SVG (Graphviz lays it out), the steps as JSON, and `player.css` and
`player.js` beside this file. Nothing is loaded from anywhere: a content security policy forbids it, and lets
no script run but ours. Names and numbers reach the page as JSON only, and are shown as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core import Node as Recorded
from .description import Description, as_json
from .dot import plain, to_dot
from .drawing import accessible
from .render import render
from .steps import Step, steps

MOST_OPS = 2_000
Frame = tuple[str, Description, list[Step]]  # a label, the graph and its steps at one moment

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '{hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Backpropagation through {title}, step by step</title>
<style>{css}</style>
</head>
<body>
<header><h1>Backpropagation through <code>{title}</code></h1>
<p class="hint">Values flow down, gradients flow back up. Keys: <kbd>→</kbd> <kbd>←</kbd> step, <kbd>Space</kbd> plays,
<kbd>Home</kbd> <kbd>End</kbd> jump, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom; <kbd>Tab</kbd> reaches the nodes.</p></header>
<div id="controls" role="group" aria-label="Playing"></div>
<main>
<div id="graph" tabindex="0" role="group" aria-label="Graph; drag to pan, wheel to zoom">{svg}</div>
<aside><section id="panel" aria-live="polite" aria-label="This step"></section>
<section id="details" aria-label="A node in detail"></section></aside>
</main>
<script type="application/json" id="data">{data}</script>
<script>{js}</script>
</body>
</html>
"""


def frame(root: Recorded, label: str = "") -> Frame:
    """The graph behind a tensor and its steps, as they are now.

    Raises
    ------
    ValueError
        If the graph is too large to be followed step by step.
    """
    description, found = steps(root)
    ops = sum(n.op is not None for n in description.nodes)
    if ops > MOST_OPS:
        raise ValueError(
            f"this graph has {ops:,} ops; stepping through is for graphs of up to {MOST_OPS:,}: "
            "play a smaller batch of layers, or save a summary as .svg"
        )
    return label, description, found


def pages(frames: Sequence[Frame]) -> str:
    """The page for one graph at one or more moments of training."""
    first = frames[0][1]
    script = _read("player.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    title = plain(first.title)
    return _PAGE.format(
        hash=f"sha256-{digest}", title=html.escape(title), css=_read("player.css"), svg=_svg(first), js=script,
        data=_embedded(_payload(frames)),
    )  # fmt: skip


def structure(d: Description) -> tuple[Any, ...]:
    """What two moments of one graph have in common: ops, and what they are applied to."""
    return tuple((n.id, n.op) for n in d.nodes), tuple((e.source, e.target, e.position) for e in d.edges)


def _svg(d: Description) -> str:
    """The graph with room in each node for a value at the bottom and a gradient at the top."""
    dot = to_dot(d, values=False, grads=False)
    roomy = re.sub(r'margin="[\d.,]+"', 'margin="0.14,0.30", width=1.7', dot, count=1)
    svg = accessible(render(roomy, "svg"), d, adaptive=True)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


def _payload(frames: Sequence[Frame]) -> dict[str, Any]:
    _, d, found = frames[0]
    nodes = [
        {"id": n.id, "kind": n.kind, "name": n.name, "op": n.op, "formula": n.formula, "cotangent": n.cotangent,
         "site": n.site, "stale": n.stale}
        for n in d.nodes
    ]  # fmt: skip
    moves = [
        {"phase": s.phase, "node": s.node, "edges": s.edges, "symbols": s.symbols,
         "contributions": [
             {"edge": c.edge, "to": c.to, "symbols": c.symbols, "derivative": c.derivative, "note": c.note,
              "count": c.count, "of": c.of} for c in s.contributions]}
        for s in found
    ]  # fmt: skip
    return as_json({  # type: ignore[no-any-return]
        "title": d.title, "seed": d.seed, "nodes": nodes, "steps": moves,
        "frames": [_moment(frame) for frame in frames],
    })  # fmt: skip


def _moment(frame: Frame) -> dict[str, Any]:
    """What changes from frame to frame: the arrays, and the lines written with numbers."""
    label, d, found = frame
    return {
        "label": label,
        "values": [as_json(n.value) for n in d.nodes],
        "steps": [
            {
                "shapes": s.shapes,
                "numbers": s.numbers,
                "seed": as_json(s.result) if s.phase == "backward" and s.node == d.nodes[-1].id else None,
                "contributions": [
                    {"shapes": c.shapes, "numbers": c.numbers, "total": as_json(c.total)} for c in s.contributions
                ],
            }
            for s in found
        ],
    }


def _embedded(data: dict[str, Any]) -> str:
    """JSON that can't end the element it stands in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
