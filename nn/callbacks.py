"""Callbacks: code of the user's that runs between the steps and epochs of `fit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import as_number, as_size
from .history import better

if TYPE_CHECKING:
    from .training import Training


class Callback:
    """What a callback may do; subclass it and write the methods that are of use.

    Each gets the `Training` that is under way: its ``model``, ``optimizer``, ``history``, ``epoch`` and
    ``step``, and its method ``stop(reason)``. A plain function given as a callback is an `on_epoch_end`.

    Examples
    --------
    >>> from microgradnd import nn
    >>> class Twice(nn.Callback):
    ...     def on_epoch_end(self, training):
    ...         if training.epoch == 2:
    ...             training.stop("twice is enough")
    >>> history = nn.fit(nn.MLP([2, 2], seed=0), [[0.0, 1.0]], [1], callbacks=[Twice()], progress=False)
    >>> history.stopped, len(history["loss"])
    ('twice is enough', 2)
    """

    def on_start(self, training: Training) -> None:
        """Before the first step."""

    def on_batch_end(self, training: Training) -> None:
        """After each step."""

    def on_epoch_end(self, training: Training) -> None:
        """After each epoch, when its measures are in the history."""

    def on_end(self, training: Training) -> None:
        """When training is over, also when it was interrupted; not after an error."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs of this callback, as plain data and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what `state_dict` described."""


class _EachEpoch(Callback):
    """A plain function as a callback."""

    def __init__(self, function: Callable[[Training], object]) -> None:
        self.function = function

    def on_epoch_end(self, training: Training) -> None:
        """Call the function."""
        self.function(training)


def as_callbacks(given: Any) -> list[Callback]:
    """`Callback` objects, from a list of such and of functions of the `Training`."""
    if given is None or callable(given) or isinstance(given, Callback):
        raise TypeError(f"callbacks={given!r}, expected a list of them: callbacks=[nn.EarlyStopping()]")
    return [_as_callback(candidate) for candidate in given]


def _as_callback(candidate: Any) -> Callback:
    if isinstance(candidate, Callback):
        return candidate
    if isinstance(candidate, type) or not callable(candidate):
        raise TypeError(f"{candidate!r} is no callback: give an nn.Callback instance or a function of the training")
    return _EachEpoch(candidate)


class EarlyStopping(Callback):
    """Stop when a measure no longer gets better, and restore the weights of its best epoch.

    Parameters
    ----------
    monitor
        Which measure of the history to watch.
    patience
        For how many epochs in a row it may fail to get better.
    min_delta
        By how much it must get better to count.
    mode
        ``"min"`` or ``"max"``: which way is better. By default least for losses and errors, greatest for
        accuracies and scores; a measure whose name doesn't tell needs it.
    restore
        Whether to go back to the best weights at the end.

    Raises
    ------
    ValueError
        For an unknown `mode`, none where the name of `monitor` doesn't tell, and, in training, if `monitor` isn't
        measured.

    Examples
    --------
    >>> import numpy as np
    >>> from microgradnd import nn
    >>> X, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    >>> stop = nn.EarlyStopping("loss", patience=2, min_delta=0.5)
    >>> history = nn.fit(nn.MLP([1, 2], seed=0), X, y, epochs=50, callbacks=[stop], seed=0, progress=False)
    >>> len(history["loss"])
    3

    References
    ----------
    L. Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, Springer 1998,
    doi:10.1007/3-540-49430-8_3.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore: bool = True,
    ) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor={monitor!r}, expected the name of a measure, such as 'val_loss'")
        if mode not in ("min", "max", None):
            raise ValueError(f"mode is {mode!r}, expected 'min' or 'max'")
        self.monitor, self.patience = monitor, as_size(patience, "patience")
        self.min_delta, self.restore = as_number(min_delta, "min_delta", "[0, inf)"), restore
        self.sign = -1.0 if (mode or better(monitor)) == "max" else 1.0
        self._forget()

    def _forget(self) -> None:
        self.best = np.inf  # of the measure with its sign, so that less is better
        self.best_epoch = self.waited = 0
        self.best_weights: dict[str, Any] = {}

    def on_start(self, training: Training) -> None:
        """Forget an earlier run, unless this one continues it."""
        if training.epoch == 0:
            self._forget()

    def on_epoch_end(self, training: Training) -> None:
        """Keep the best weights, or count the epochs since."""
        if self.monitor not in training.history:
            unvalidated = self.monitor.startswith("val_") and training.validation is None
            raise ValueError(
                f"early stopping watches {self.monitor!r}, which isn't measured: there are "
                f"{', '.join(training.history)}" + ("; give validation_data=(X, y)" if unvalidated else "")
            )
        value = self.sign * training.history[self.monitor][-1]
        if value < self.best - self.min_delta:
            self.best, self.best_epoch, self.waited = value, training.epoch, 0
            if self.restore:
                self.best_weights = {k: np.array(v, order="C") for k, v in training.model.state_dict().items()}
            return
        self.waited += 1
        if self.waited >= self.patience:
            training.stop(f"no better {self.monitor} for {self.patience} epochs, best was epoch {self.best_epoch}")

    def on_end(self, training: Training) -> None:
        """Go back to the best weights."""
        if self.best_weights:
            training.model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """The best value and weights so far, and how long ago that was."""
        return {name: getattr(self, name) for name in ("best", "best_epoch", "waited", "best_weights")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` described."""
        self.best = float(state["best"])
        self.best_epoch, self.waited = (
            as_size(state["best_epoch"], "best_epoch", 0),
            as_size(state["waited"], "waited", 0),
        )
        self.best_weights = {name: array.copy() for name, array in state["best_weights"].items()}
