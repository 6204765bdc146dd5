"""What `mg.draw` gives: a picture that shows itself in a notebook and saves itself as a file."""

from __future__ import annotations

import functools
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from ..core import Node as Recorded
from .description import Description
from .dot import plain, to_dot
from .numbers import short
from .render import render, write_whole
from .style import dark_rules

_SVG = "http://www.w3.org/2000/svg"
SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".html")


class Drawing:
    """A recorded graph, drawn.

    A notebook shows it by itself; `save` writes it to a file.

    Attributes
    ----------
    description
        The graph as plain data.
    source
        The graph in Graphviz's language, DOT.
    """

    def __init__(self, root: Recorded, description: Description, dark: bool | None, **shown: bool) -> None:
        self.description = description
        self._root, self._dark, self._shown = root, dark, shown
        self._frames: list[Any] = []

    @functools.cached_property
    def source(self) -> str:
        """The graph in Graphviz's language, DOT."""
        return to_dot(self.description, dark=bool(self._dark), **self._shown)

    @functools.cached_property
    def svg(self) -> str:
        """The picture as SVG, with text alternatives; dark where the reader's system is, unless told otherwise."""
        return accessible(render(self.source, "svg"), self.description, adaptive=self._dark is None)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file; its suffix says what as.

        Parameters
        ----------
        path
            Ends in .svg, .png, .pdf, .dot, or .html for the page that plays the passes step by step. A file that
            is there is replaced once the new one is complete.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ValueError
            For another suffix.
        FileNotFoundError
            If the directory isn't there.
        """
        path = Path(os.fsdecode(os.fspath(path)))
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(f"a drawing is saved as {', '.join(SUFFIXES)}, not as {path.name!r}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"can't save {path.name!r}: there is no directory {str(path.parent)!r}")
        write_whole(path, self._content(suffix))
        return path

    def _content(self, suffix: str) -> bytes:
        if suffix == ".dot":
            return self.source.encode()
        if suffix == ".svg":
            return self.svg.encode()
        if suffix == ".html":
            return self._page().encode()
        return render(self.source, suffix[1:])

    def add_frame(self, tensor: Recorded, label: str = "") -> None:
        """Add the same graph at another moment, for the second slider of the step-through page (.html).

        Parameters
        ----------
        tensor
            The result of the same computation, recorded anew: after a step of training, say.
        label
            What the slider says there.

        Raises
        ------
        ValueError
            If it was computed by other ops than the frames before.

        Examples
        --------
        >>> import microgradnd as mg
        >>> w = mg.tensor(2.0, requires_grad=True, name="w")
        >>> drawing = mg.draw(w * w)
        >>> for step in range(3):
        ...     loss = w * w
        ...     drawing.add_frame(loss, f"step {step}")
        ...     loss.backward()
        ...     with mg.no_grad():
        ...         w -= 0.1 * w.grad
        ...     w.zero_grad()
        """
        from .player import frame, structure

        new = frame(tensor, label)
        if structure(new[1]) != structure(self.description):
            raise ValueError(
                f"frame {label!r} is of another graph than the drawing: its ops or operands differ. "
                "Record the same computation each time, on a batch of the same form"
            )
        self._frames.append(new)

    def _page(self) -> str:
        from .player import frame, pages

        return pages(self._frames or [frame(self._root)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        d = self.description
        return f"<drawing of {plain(d.title)}: {len(d.nodes)} nodes, {len(d.edges)} edges; .save('graph.svg')>"


def accessible(svg: bytes, d: Description, adaptive: bool) -> str:
    """Graphviz's SVG with a role, titles and descriptions for who can't see it, and dark colours for who prefers them."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ET.fromstring(svg)  # noqa: S314 - our own Graphviz wrote it
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
        style = ET.Element(f"{{{_SVG}}}style")
        style.text = f"@media (prefers-color-scheme: dark){{{dark_rules()}}}"
        root.insert(2, style)
    return ET.tostring(root, encoding="unicode")


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
