"""History: what a training run measured, epoch by epoch and step by step."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_RISING = ("acc", "score", "r2", "f1", "auc", "precision", "recall")
_FALLING = ("loss", "error", "mse", "mae", "entropy", "divergence", "perplexity", "deviance")


def better(measure: str) -> str:
    """Which way a measure of this name gets better, as far as a name tells."""
    known = {way for way, words in (("max", _RISING), ("min", _FALLING)) if any(word in measure for word in words)}
    if len(known) != 1:
        raise ValueError(
            f"whether {measure!r} is better when it falls or when it rises is unknown: give mode='min' or 'max'"
        )
    return known.pop()


class History(Mapping[str, list[float]]):
    """What `fit` returns: a mapping from a measure to its values, one per finished epoch.

    The keys are ``loss`` and each metric, their ``val_`` counterparts where validation data was given, and
    ``lr``, the learning rate. `batch_losses` holds the loss of every single step.

    Attributes
    ----------
    stopped : str
        Why training ended before its last epoch: ``"interrupted"``, what a callback gave as its reason,
        or the empty string.

    Raises
    ------
    KeyError
        For a measure that was not taken; the error lists those that were.

    Examples
    --------
    >>> history = History()
    >>> history.append({"loss": 0.5, "val_loss": 0.7})
    >>> history["val_loss"]
    [0.7]
    >>> history
    History of 1 epoch: loss 0.5, val_loss 0.7
    """

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self._batch_losses = array("d")
        self.stopped = ""

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return max(map(len, self._values.values()), default=0)

    @property
    def batch_losses(self) -> np.ndarray:
        """The loss of each training step, shape (steps,), float64."""
        return np.array(self._batch_losses)

    def append(self, measured: Mapping[str, float]) -> None:
        """Add what one epoch measured; a measure that is new was NaN before."""
        done = self.epochs
        for name, value in measured.items():
            column = self._values.setdefault(name, [])
            column += [float("nan")] * (done - len(column))
            column.append(float(value))

    def append_batch(self, loss: float) -> None:
        """Add the loss of one step."""
        self._batch_losses.append(loss)

    def best(self, measure: str, mode: str | None = None) -> int:
        """The epoch, counted from 0, in which a measure was best.

        Parameters
        ----------
        measure
            One of the keys.
        mode
            ``"min"`` or ``"max"``: which way is better. By default least for losses and errors, greatest for
            accuracies and scores; a measure whose name doesn't tell needs it.

        Raises
        ------
        ValueError
            If which way is better is unknown.
        """
        if mode not in ("min", "max", None):
            raise ValueError(f"mode={mode!r}, expected 'min' or 'max'")
        values = self[measure]
        return int(np.nanargmin(values) if (mode or better(measure)) == "min" else np.nanargmax(values))

    def plot(self, ax: Any = None) -> Any:
        """Draw losses and metrics over epochs; gives the matplotlib Axes."""
        from .plots import plot_history

        return plot_history(self, ax=ax)

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain data and arrays."""
        return {"values": dict(self._values), "batch_losses": self.batch_losses, "stopped": self.stopped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""
        self._values = {name: list(map(float, column)) for name, column in state["values"].items()}
        self._batch_losses = array("d", state["batch_losses"])
        self.stopped = str(state["stopped"])

    def __getitem__(self, measure: str) -> list[float]:
        try:
            return self._values[measure]
        except KeyError:
            raise KeyError(f"{measure!r} was not measured, only {', '.join(self._values) or 'nothing yet'}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {column[-1]:.4g}" for name, column in self._values.items() if column)
        stopped = f" ({self.stopped})" if self.stopped else ""
        return f"History of {self.epochs} epoch{'s' * (self.epochs != 1)}{stopped}" + (f": {last}" if last else "")
