"""The step-through page: one HTML file that plays the forward and the backward pass, offline.

`Film` puts together the graph as SVG (Graphviz lays it out), the steps as JSON, and `player.css` and
`player.js` beside this file; at several levels of detail where there are layers to close, at several moments
where a training was filmed. Nothing is loaded from anywhere: a content security policy forbids it, and lets
no script run but ours. Names and numbers reach the page as compressed JSON only, and are shown as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from pathlib import Path
from typing import Any

from ..core import Node as Recorded
from .description import Description, Graph, as_json
from .dot import UNSEEN, doubt, plain, to_dot
from .levels import EVERY_OP, levels
from .pool import Pool
from .render import render
from .steps import Line, Walkthrough, walk_through
from .svg import bare
from .trace import drawn_inputs, key

LARGEST, ROOM = 1_900_000, 200_000  # characters of a page; of its arrays, however much else there is

_PAGE = """<!DOCTYPE html>
<html lang="en" style="color-scheme: {scheme}">
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
<kbd>Home</kbd> <kbd>End</kbd> jump, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom; in the graph <kbd>↑</kbd> <kbd>↓</kbd> go from node to node, <kbd>Enter</kbd> chooses one.</p></header>
<div id="controls" role="group" aria-label="Playing"></div>
<p id="note" hidden></p>
<main>
<div id="graph" tabindex="0" role="group" aria-label="Graph; drag to pan, wheel to zoom"></div>
<aside tabindex="0" aria-label="Explanation"><p id="status" role="status"></p>
<section id="panel" aria-label="This step"></section>
<section id="details" aria-label="A node in detail"></section></aside>
</main>
<noscript>The steps are played by a script, which this browser does not run.</noscript>
<script type="text/plain" id="data">{data}</script>
<script>{js}</script>
</body>
</html>
"""


class Film:
    """A graph, played at one moment or at several.

    Parameters
    ----------
    root
        What is drawn.
    depth
        How many levels of layers are open at first; None: as many as can be.
    """

    def __init__(self, root: Recorded, depth: int | None) -> None:
        self.frames: list[dict[str, Any]] = []
        self._depth = depth
        self._structure = _structure(Graph(root, gradients=False))
        self._pool = Pool()
        self._levels: list[tuple[str, Walkthrough]] = []
        self._ops = self._shown = 0

    def add(self, root: Recorded, label: str = "") -> None:
        """Record the graph and its arrays as they are now.

        Raises
        ------
        ValueError
            If it was computed by other ops than what is drawn.
        """
        graph = Graph(root)
        if _structure(graph) != self._structure:
            raise ValueError(
                f"frame {label!r} is of another graph than the drawing: its ops or operands differ. "
                "Record the same computation each time, on a batch of the same form"
            )
        offered, shown = levels(graph.trace, graph.chains, graph.consumers, self._depth)
        walks = [(level.label, walk_through(graph, level.boxes)) for level in offered]
        if not self.frames:
            self._levels, self._shown = walks, shown
            self._ops = sum(x.op is not None for x in graph.trace.nodes)
        self.frames.append({"label": label, "levels": [self._moment(walk) for _, walk in walks]})

    def page(self, *, dark: bool | None = None, group: bool = True) -> str:
        """The whole page; dark where the reader's system is, unless told otherwise."""
        first = self._levels[0][1].description
        script, style = _read("player.js"), _read("player.css")
        if dark is not None:
            style = style.replace("@media (prefers-color-scheme: dark)", "@media all" if dark else "@media not all")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        title = plain(first.title)
        pictures = self._pictures(dark, group)
        kept = list(pictures)
        data = {
            "title": first.title, "seed": first.seed, "ops": self._ops, "playable": any(self._levels[i][0] == EVERY_OP for i in kept),
            "shown": kept.index(self._shown) if self._shown in kept else len(kept) - 1,
            "levels": [_level(*self._levels[i]) | {"picture": pictures[i]} for i in kept],
            "frames": [frame | {"levels": [frame["levels"][i] for i in kept]} for frame in self.frames],
        }  # fmt: skip
        rest = len(_packed(data)) + len(script) + len(style)
        data["arrays"] = self._pool.as_json(max(LARGEST - rest, ROOM))
        return _PAGE.format(
            hash=f"sha256-{digest}", title=html.escape(title), css=style, js=script, data=_packed(data),
            scheme="light dark" if dark is None else "dark" if dark else "light",
        )  # fmt: skip

    def _pictures(self, dark: bool | None, group: bool) -> dict[int, str]:
        """Each level as SVG; one whose layout takes too long is left out, if there is another."""
        found: dict[int, str] = {}
        for i, (_, walk) in enumerate(self._levels):
            try:
                found[i] = _svg(walk.description, dark=dark, group=group)
            except TimeoutError:
                if i == len(self._levels) - 1 and not found:
                    raise
        return found

    def _moment(self, walk: Walkthrough) -> dict[str, Any]:
        """What changes from frame to frame: the arrays, and the lines written with numbers."""
        last = walk.description.nodes[-1].id
        return {
            "values": [self._pool.add(v) for v in walk.values],
            "steps": [
                {
                    "shapes": s.shapes,
                    "numbers": self._line(s.line),
                    "seed": self._pool.add(s.result)
                    if s.phase == "backward" and s.node == last and s.result is not None
                    else None,
                    "contributions": [
                        {"shapes": c.shapes, "numbers": self._line(c.line), "total": self._pool.add(c.total)}
                        for c in s.contributions
                    ],
                }
                for s in walk.steps
            ],
        }

    def _line(self, line: Line) -> list[str | int]:
        return [piece if isinstance(piece, str) else self._pool.add(piece) for piece in line]


def _structure(graph: Graph) -> tuple[Any, ...]:
    """What two moments of one graph have in common: ops, and what they are applied to."""
    return tuple(
        (x.op.name if x.op else None, [(i, graph.ids[key(a)]) for i, a in drawn_inputs(x)])
        if isinstance(x, Recorded)
        else None
        for x in graph.trace.operands
    )


def _svg(d: Description, *, dark: bool | None, group: bool) -> str:
    """The graph with room in each node for a value at the bottom and a gradient at the top."""
    dot = to_dot(d, values=False, grads=False, group=group, dark=bool(dark))
    roomy = re.sub(r'margin="[\d.,]+"', 'margin="0.14,0.30", width=1.7', dot, count=1)
    return bare(render(roomy, "svg"), adaptive=dark is None)


def _level(label: str, walk: Walkthrough) -> dict[str, Any]:
    """What stays the same from frame to frame."""
    nodes = [
        {"id": n.id, "kind": n.kind, "name": n.name, "op": n.op, "formula": n.formula, "cotangent": n.cotangent,
         "site": n.site, "stale": n.stale, "doubt": doubt(n)}
        | ({"holds": as_json(n.holds), "inside": walk.inside[n.id]} if n.holds else {})
        for n in walk.description.nodes
    ]  # fmt: skip
    moves = [
        {"phase": s.phase, "node": s.node, "edges": s.edges, "symbols": s.symbols, "rank": s.rank,
         "contributions": [
             {"edge": c.edge, "to": c.to, "symbols": c.symbols, "derivative": c.derivative, "note": c.note,
              "count": c.count, "of": c.of} | ({"inside": c.inside} if c.inside else {}) for c in s.contributions]}
        for s in walk.steps
    ]  # fmt: skip
    return {"label": label, "nodes": nodes, "steps": moves}


def _packed(data: dict[str, Any]) -> str:
    """JSON, compressed: a tenth of the size, and nothing in it can end the element it stands in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(UNSEEN)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
