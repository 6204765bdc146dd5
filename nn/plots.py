"""Plots of networks and their training: an Axes in, an Axes out.

Each function draws into the matplotlib Axes it is given, or into new ones, and gives it back; nothing is shown
or saved. What scikit-learn has a display for is drawn by that display.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import microgradnd as mg

from .activations import ACTIVATIONS, log_softmax, named_activation, sigmoid, softmax
from .arguments import as_size
from .data import as_array, check_finite, check_pair
from .evaluation import eval_mode, predict, watch
from .losses import cross_entropy
from .module import Module

__all__ = [
    "plot_activation",
    "plot_batch_losses",
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_histograms",
    "plot_history",
    "plot_weights",
]


_TOO_LARGE = 1e300  # from there on matplotlib's own arithmetic overflows


def new_axes(ax: Any = None) -> Any:
    """The Axes given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "microgradnd[train]"') from error
    return plt.subplots(layout="constrained")[1]


def _from_sklearn(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"sklearn.{module}"), name)
    except ImportError as error:
        raise ImportError('this plot needs scikit-learn: pip install "microgradnd[train]"') from error


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

    Raises
    ------
    ValueError
        If the measure was not taken.
    TypeError
        If the history is no mapping.

    Examples
    --------
    >>> from microgradnd.nn import plots
    >>> ax = plots.plot_history({"loss": [1.0, 0.5], "val_loss": [1.2, 0.9]})
    >>> [line.get_label() for line in ax.get_lines()]
    ['training', 'validation']
    """
    if not isinstance(history, Mapping):
        raise TypeError(f"the history is {type(history).__name__}, expected what nn.fit gave, or lists by measure")
    if history and measure not in history and f"val_{measure}" not in history:
        raise ValueError(f"{measure!r} was not measured, only {', '.join(history)}")
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

    Examples
    --------
    >>> from microgradnd.nn import plots
    >>> plots.plot_batch_losses([1.0, 0.5, 0.4]).get_ylabel()
    'loss'
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
        A network with one output per class, or a single one whose sign tells two apart; or a fitted classifier of
        scikit-learn's kind.
    X, y
        Inputs, and class indices, one-hot rows or, for a classifier, its labels.
    labels
        Names of the classes.
    normalize
        ``"true"``: each row is the share of one true class; None: counts.
    title
        Written above, followed by the accuracy.
    ax
        Axes to draw into.

    Examples
    --------
    >>> from microgradnd import nn
    >>> from microgradnd.nn import plots
    >>> X = np.array([[2.0, 0.0], [0.0, 2.0]])
    >>> plots.plot_confusion_matrix(nn.Sequential(nn.relu), X, [0, 1]).get_title()
    'accuracy 100.0%'
    """
    display = _from_sklearn("metrics", "ConfusionMatrixDisplay")
    found, y = _found_and_true(model, X, y)
    ax = new_axes(ax)
    display.from_predictions(
        y, found, display_labels=labels, normalize=normalize, ax=ax, colorbar=False, cmap="Blues",
        values_format=".2f" if normalize else None, text_kw={"fontsize": "x-small"},
    )  # fmt: skip
    ax.set_title(f"{title}{': ' if title else ''}accuracy {np.mean(found == y):.1%}")
    return ax


def _found_and_true(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """The classes that a network or classifier finds, and those that are given, one per sample."""
    if not isinstance(model, Module):
        return model.predict(X), np.ravel(y)
    inputs, y = check_pair(X, y)
    output = predict(model, inputs)
    single = output.size == len(output)
    if y.size > len(y):
        y = y.argmax(axis=-1)
    return (output.reshape(-1) > 0).astype(int) if single else output.argmax(axis=-1), y.reshape(-1)


def plot_decision_boundary(model: Any, X: Any, y: Any = None, *, resolution: int = 200, ax: Any = None) -> Any:
    """Which class a network sees where in a plane, and how surely, by scikit-learn's DecisionBoundaryDisplay.

    Parameters
    ----------
    model
        A network of two inputs, or a fitted classifier of scikit-learn's kind. With one output or two classes,
        colours show the probability of the second (if it tells), with a line where it is one half; else the class.
    X, y
        Samples, shape (n, 2), which also set the range of the picture; and their classes, drawn as points.
    resolution
        Points per axis at which the network is asked.
    ax
        Axes to draw into.

    Raises
    ------
    ValueError
        If `X` isn't of shape (n, 2) and finite, or `y` has another length or other classes.
    TypeError
        If the model doesn't classify.

    Examples
    --------
    >>> from microgradnd import nn
    >>> from microgradnd.nn import plots
    >>> ax = plots.plot_decision_boundary(nn.MLP([2, 2], seed=0), [[0.0, 0.0], [1.0, 1.0]], [0, 1], resolution=10)
    >>> ax.get_legend().get_title().get_text()
    'class'
    """
    boundary = _from_sklearn("inspection", "DecisionBoundaryDisplay")
    frame, X = X, as_array(X, "X").astype(float, copy=False)
    check_finite(X, "X")
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"X has shape {X.shape}: a decision boundary is drawn in a plane, expected (n, 2)")
    if y is not None and np.size(y) != len(X):
        raise ValueError(f"X has {len(X)} rows and y {np.size(y)} classes: each sample needs one")
    classifier = _as_classifier(model) if isinstance(model, Module) else model
    if not hasattr(classifier, "classes_"):
        raise TypeError(f"{type(model).__name__} knows no classes: give a network, or a classifier that was fitted")
    if y is not None and (unknown := np.setdiff1d(y, classifier.classes_)).size:
        raise ValueError(f"y holds {unknown.tolist()}, the model's classes are {classifier.classes_.tolist()}")
    ax = new_axes(ax)
    two = len(classifier.classes_) == 2
    how: dict[str, Any] = {"response_method": "predict", "plot_method": "pcolormesh", "alpha": 0.4}
    if two and hasattr(classifier, "predict_proba"):
        how = {"response_method": "predict_proba", "cmap": "RdBu_r", "levels": np.linspace(0, 1, 11), "alpha": 0.7}
    elif two:
        how["cmap"] = "RdBu_r"
    # Who learnt from a frame wants one, with the names of its columns.
    asked = frame if classifier is model and hasattr(frame, "columns") else X
    display = boundary.from_estimator(classifier, asked, grid_resolution=resolution, eps=0.5, ax=ax, **how)
    if "levels" in how:
        ax.contour(display.xx0, display.xx1, display.response, levels=[0.5], colors="k", linewidths=1)
    if y is not None:
        colours = (
            ["#2166ac", "#b2182b"] if two else getattr(display, "multiclass_colors_", [f"C{i}" for i in range(10)])
        )
        for i, label in enumerate(classifier.classes_):  # in the colour of its own region, whichever others there are
            if (own := np.ravel(y) == label).any():
                ax.scatter(
                    *X[own].T, s=18, color=colours[i % len(colours)], edgecolor="k", linewidth=0.5, label=str(label)
                )
        ax.legend(title="class", loc="best")
    names = getattr(frame, "columns", ("$x_1$", "$x_2$"))
    ax.set(xlabel=names[0], ylabel=names[1])
    return ax


def _as_classifier(model: Module) -> Any:
    """A network of logits as what scikit-learn's displays take; a single logit is one of two classes."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Network(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any = None) -> Any:
            self.classes_ = np.arange(max(2, predict(model, X).size // len(X)))
            return self

        def predict_proba(self, X: Any) -> Any:
            output = predict(model, X)
            if len(self.classes_) == output.size // len(output):
                return softmax(output)
            p = sigmoid(output.reshape(-1))
            return np.stack([1 - p, p], axis=1)

        def predict(self, X: Any) -> Any:
            return self.predict_proba(X).argmax(axis=1)

    return Network().fit(np.zeros((1, 2)))


def plot_activation(activation: str | Callable[[Any], Any], *, low: float = -5, high: float = 5, ax: Any = None) -> Any:
    """An activation function and its derivative, which autograd takes.

    Parameters
    ----------
    activation
        A name such as ``"gelu"``, or an elementwise function.
    low, high
        The range of inputs.
    ax
        Axes to draw into.

    Raises
    ------
    ValueError
        For an unknown name, and for what works along an axis, such as softmax.

    Examples
    --------
    >>> from microgradnd.nn import plots
    >>> plots.plot_activation("gelu").get_title()
    'gelu'
    """
    function: Any = ACTIVATIONS.get(named_activation(activation), activation)
    if function in (softmax, log_softmax):
        raise ValueError(f"{function.__name__} is no function of one number, it works along an axis: nothing to draw")
    ax = new_axes(ax)
    x = np.linspace(low, high, 401)
    slope = mg.grad(lambda t: np.sum(function(t)))(x)
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.plot(x, function(x), label="value")
    ax.plot(x, np.asarray(slope), "--", label="derivative")
    name = (
        activation if isinstance(activation, str) else getattr(activation, "name", getattr(activation, "__name__", ""))
    )
    ax.set(title=name, xlabel="$x$")
    ax.legend()
    return ax


def plot_weights(weights: Any, shape: tuple[int, int] | None = None, *, columns: int = 5, ax: Any = None) -> Any:
    """What each unit of a layer looks for: its weights as an image, tiled.

    Parameters
    ----------
    weights
        A tensor or array of shape (inputs, units), or the kernels of a convolution, (units, channels, height,
        width), whose channels are averaged.
    shape
        Height and width of an image of inputs; by default square.
    columns
        Images per row.
    ax
        Axes to draw into.

    Raises
    ------
    ValueError
        If the inputs are no image of that shape, or there are no units.

    Examples
    --------
    >>> from microgradnd import nn
    >>> from microgradnd.nn import plots
    >>> ax = plots.plot_weights(nn.Dense(64, 10, seed=0).W)
    >>> ax.get_images()[0].get_array().shape
    (17, 44)
    """
    w, columns = as_array(weights, "weights"), as_size(columns, "columns")
    if w.ndim not in (2, 4) or not w.size:
        raise ValueError(f"weights have shape {w.shape}, expected (inputs, units) or (units, channels, height, width)")
    if w.ndim == 4:
        w = w.mean(axis=1)
    else:
        side = round(w.shape[0] ** 0.5)
        height, width = shape or (side, side)
        if height * width != w.shape[0]:
            raise ValueError(f"{w.shape[0]} inputs are no image of {height} x {width}: give shape=(height, width)")
        w = w.T.reshape(-1, height, width)
    units, height, width = w.shape
    ax = new_axes(ax)
    columns = min(columns, units)
    rows = -(-units // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(w):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    limit = float(np.abs(w[np.isfinite(w)]).max(initial=0.0)) or 1.0
    drawn = ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.figure.colorbar(drawn, ax=ax, shrink=0.8, label="weight")
    ax.set(xticks=[], yticks=[], frame_on=False)
    return ax


def plot_histograms(
    model: Module, X: Any, y: Any = None, loss: Callable[[Any, Any], Any] = cross_entropy, *, ax: Any = None
) -> Any:
    """How activations, or with `y` gradients, are distributed in each layer: violins side by side.

    Layers whose activations saturate, or whose gradients vanish or explode, stand out. What can't be drawn, being NaN or
    beyond 1e300, is counted below.

    Parameters
    ----------
    model
        The network; its parts, in the order of their calls, are the layers.
    X
        A batch of inputs.
    y
        Targets: then the gradient of the loss with respect to each layer's parameters is shown.
    loss
        ``loss(output, target)``.
    ax
        Axes to draw into.

    Examples
    --------
    >>> from microgradnd import nn
    >>> from microgradnd.nn import plots
    >>> ax = plots.plot_histograms(nn.MLP([2, 3, 2], seed=0), np.eye(2))
    >>> len(ax.get_xticklabels())
    2
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told in the picture
        found = _layer_outputs(model, X) if y is None else _layer_gradients(model, X, y, loss)
    ax = new_axes(ax)
    drawn = {name: values[np.abs(values) < _TOO_LARGE] for name, values in found.items()}
    lost = {name: values.size - drawn[name].size for name, values in found.items()}
    places = {i: values for i, values in enumerate(drawn.values(), 1) if values.size}
    if places:
        ax.violinplot(list(places.values()), list(places), showextrema=True, showmedians=True)
    labels = [name + (f"\n{n} NaN or too large" if n else "") for name, n in lost.items()]
    ax.set_xticks(range(1, len(found) + 1), labels, rotation=30, ha="right")
    ax.axhline(0, color="0.8", linewidth=1, zorder=0)
    ax.set(ylabel="activation" if y is None else "gradient", xlim=(0.5, len(found) + 0.5))
    return ax


def _layer_outputs(model: Module, X: Any) -> dict[str, Any]:
    names = {id(layer): f"{name}\n{type(layer).__name__}" for name, layer in model.named_children()}
    names = names or {id(model): type(model).__name__}
    found: dict[str, Any] = {}

    def note(layer: Module, y: Any) -> None:
        if id(layer) in names:
            found[names[id(layer)]] = mg.astensor(y).data

    with watch(model, note), mg.no_grad():
        model(as_array(X, "X"))
    return found


def _layer_gradients(model: Module, X: Any, y: Any, loss: Callable[[Any, Any], Any]) -> dict[str, Any]:
    with eval_mode(model):
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        value = loss(model(as_array(X, "X")), np.asarray(y))
        gradients = mg.gradients(value, list(named.values()))
    return {name: g.data for name, g in zip(named, gradients, strict=True)}
