"""A callback that films the graph while a network trains."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import microgradnd as mg

from .callbacks import Callback
from .losses import cross_entropy

if TYPE_CHECKING:
    from .training import Training

__all__ = ["GraphFrames"]


class GraphFrames(Callback):
    """Record the graph of the loss on a few fixed examples, again and again during `fit`.

    The step-through page then has a second slider, over training steps.

    Parameters
    ----------
    X, y
        The examples, few enough to be read in a picture, and their targets.
    loss
        ``loss(model(X), y)``.
    every
        Training steps from one frame to the next.

    Attributes
    ----------
    drawing
        What `mg.draw` gives, with a frame per recording; None before training.

    Raises
    ------
    ValueError
        For an `every` below 1.
    RuntimeError
        When saved before it was given to `nn.fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    >>> frames = nn.GraphFrames(X, y, every=2)
    >>> model = nn.MLP([2, 2, 2], seed=0)
    >>> _ = nn.fit(model, X, y, epochs=4, batch_size=2, seed=0, progress=False, callbacks=[frames])
    >>> frames.drawing
    <drawing of cross_entropy: ... nodes, ... edges; .save('graph.svg')>
    """

    def __init__(self, X: Any, y: Any, *, loss: Callable[[Any, Any], Any] = cross_entropy, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every={every}: a frame is recorded every so many steps, 1 or more")
        self.X, self.y, self.loss, self.every = mg.tensor(X, name="X"), y, loss, every
        self.drawing: Any = None

    def on_start(self, training: Training) -> None:
        """Record the untrained network."""
        self._record(training)

    def on_batch_end(self, training: Training) -> None:
        """Record every so many steps."""
        if training.step % self.every == 0:
            self._record(training)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing, with all frames where the format has room for them (.html)."""
        if self.drawing is None:
            raise RuntimeError("no frame has been recorded: give this callback to nn.fit first")
        return self.drawing.save(path)  # type: ignore[no-any-return]

    def _record(self, training: Training) -> None:
        model = training.model
        was = model.training
        model.eval()
        result = self.loss(model(self.X), self.y)
        if was:
            model.train()
        if self.drawing is None:
            self.drawing = mg.draw(result)
        self.drawing.add_frame(result, f"step {training.step}")
