"""Plots of networks and their training: an Axes in, an Axes out.

Each function draws into the matplotlib Axes it is given, or into new ones, and gives it back; nothing is shown
or saved. What scikit-learn has a display for is drawn by that display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .evaluation import predict
from .module import Module


def new_axes(ax: Any = None) -> Any:
    """The Axes given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "microgradnd[train]"') from error
    return plt.subplots(layout="constrained")[1]


def plot_history(history: Mapping[str, Sequence[float]], measure: str = "loss", *, ax: Any = None) -> Any:
    """One measure over the epochs, in training and, where there is one, in validation.

    Parameters
    ----------
    history
        What `fit` gave.
    measure
        ``"loss"``, or the name of a metric.
    ax
        Axes to draw into.
    """
    ax = new_axes(ax)
    for name, label, style in [(measure, "training", "-"), (f"val_{measure}", "validation", "--")]:
        if name in history:
            values = history[name]
            ax.plot(np.arange(1, len(values) + 1), values, style, marker="." if len(values) < 30 else "", label=label)
    ax.set(xlabel="epoch", ylabel=measure)
    if f"val_{measure}" in history:
        ax.legend()
    return ax


def plot_batch_losses(losses: Any, *, ax: Any = None) -> Any:
    """The loss of every step, pale, and its running mean over a hundredth of them.

    Parameters
    ----------
    losses
        One number per step, such as ``history.batch_losses``.
    ax
        Axes to draw into.
    """
    ax = new_axes(ax)
    losses = np.asarray(losses, dtype=float)
    window = max(1, len(losses) // 100)
    ax.plot(losses, color="0.8", linewidth=0.5, label="each step")
    if window > 1:
        smooth = np.convolve(losses, np.full(window, 1 / window), mode="valid")
        ax.plot(np.arange(len(smooth)) + window // 2, smooth, color="C0", label=f"mean of {window} steps")
        ax.legend()
    ax.set(xlabel="step", ylabel="loss")
    return ax


def plot_confusion_matrix(
    model: Module,
    X: Any,
    y: Any,
    *,
    labels: Any = None,
    normalize: str | None = "true",
    title: str = "",
    ax: Any = None,
) -> Any:
    """How often each class is taken for which, by scikit-learn's ConfusionMatrixDisplay.

    Parameters
    ----------
    model
        A network with one output per class.
    X, y
        Inputs and class indices.
    labels
        Names of the classes.
    normalize
        ``"true"``: each row is the share of one true class; None: counts.
    title
        Written above, followed by the accuracy.
    ax
        Axes to draw into.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    ax = new_axes(ax)
    found, y = predict(model, X).argmax(axis=-1), np.asarray(y)
    ConfusionMatrixDisplay.from_predictions(
        y, found, display_labels=labels, normalize=normalize, ax=ax, colorbar=False, cmap="Blues",
        values_format=".2f" if normalize else None, text_kw={"fontsize": "x-small"},
    )  # fmt: skip
    ax.set_title(f"{title}{': ' if title else ''}accuracy {np.mean(found == y):.1%}")
    return ax
