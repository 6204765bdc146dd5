"""What `mg.draw` gives: a picture that shows itself in a notebook and saves itself as a file."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Node as Recorded
from .description import Description
from .dot import plain, to_dot
from .render import render, write_whole
from .svg import accessible

if TYPE_CHECKING:
    from .player import Film

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

    def __init__(
        self, root: Recorded, description: Description, dark: bool | None, depth: int | None, **shown: bool
    ) -> None:
        self.description = description
        self._root, self._dark, self._depth, self._shown = root, dark, depth, shown

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
        self._film.add(tensor, label)

    @functools.cached_property
    def _film(self) -> Film:
        from .player import Film

        return Film(self._root, self._depth)

    def _page(self) -> str:
        from .player import Film

        film = self._film
        if not film.frames:
            film = Film(self._root, self._depth)
            film.add(self._root)
        return film.page(dark=self._dark, group=self._shown["group"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        d = self.description
        return f"<drawing of {plain(d.title)}: {len(d.nodes)} nodes, {len(d.edges)} edges; .save('graph.svg')>"
