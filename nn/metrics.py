"""Metrics: numbers that people judge a network by, beside the loss that it is trained on."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Metric = Callable[[Array, Array], float]


def accuracy(output: Array, target: Array) -> float:
    """The share of samples whose class is right.

    Parameters
    ----------
    output
        Logits or probabilities, shape (n, classes); or, for two classes, logits of shape (n,) or (n, 1).
    target
        Class indices, shape (n,) or (n, 1), or one-hot rows, shape (n, classes). Of several labels
        per sample (a single logit each), the share of labels that are right.

    Examples
    --------
    >>> accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
    0.5
    >>> accuracy(np.array([[2.0], [-1.0]]), np.array([1, 0]))
    1.0
    """
    if output.ndim == 1 or output.shape[-1] == 1:
        return float(np.mean((output.ravel() > 0) == (target.ravel() > 0.5)))
    return class_accuracy(output, target)


def class_accuracy(output: Array, target: Array) -> float:
    """The share of samples whose class has the largest score; with a single class, all of them.

    Examples
    --------
    >>> class_accuracy(np.array([[-1.0], [2.0]]), np.array([0, 0]))
    1.0
    """
    if target.shape == output.shape:
        target = target.argmax(axis=-1)
    return float(np.mean(output.argmax(axis=-1) == target.reshape(output.shape[:-1])))


def label_accuracy(output: Array, target: Array) -> float:
    """The share of independent yes-no labels that a logit's sign gets right, any matching shapes.

    Examples
    --------
    >>> label_accuracy(np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([[1, 0], [0, 1]]))
    0.75
    """
    return float(np.mean((output > 0) == (target.reshape(output.shape) > 0.5)))


def r2(output: Array, target: Array) -> float:
    """The coefficient of determination, 1 - residual / total sum of squares, the mean over outputs.

    1 is perfect, 0 is as good as the mean. A target that is constant counts as 1 when it is met exactly, else 0.

    Examples
    --------
    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    t = target.reshape(len(target), -1)
    residual = ((output.reshape(t.shape) - t) ** 2).sum(axis=0)
    total = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    safe = np.where(total > 0, total, 1)
    return float(np.mean(np.where(total > 0, 1 - residual / safe, residual == 0)))


METRICS: dict[str, Metric] = {"accuracy": accuracy, "label_accuracy": label_accuracy, "r2": r2}


def named_metrics(metrics: Iterable[str | Metric]) -> dict[str, Metric]:
    """Metrics by name, from names and functions ``metric(output, target) -> float`` on arrays.

    Examples
    --------
    >>> list(named_metrics(["accuracy"]))
    ['accuracy']
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        metrics = (metrics,)
    named: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str):
            if metric not in METRICS:
                raise ValueError(f"there is no metric {metric!r}: choose from {', '.join(METRICS)}, or give a function")
            name, function = metric, METRICS[metric]
        elif callable(metric):
            name, function = getattr(metric, "__name__", type(metric).__name__), metric
        else:
            raise TypeError(f"{metric!r} is no metric: give a name or a function metric(output, target) -> float")
        if name in ("loss", "lr", *named):
            raise ValueError(f"two measures would be called {name!r}: rename a metric's function (its __name__)")
        named[name] = functools.partial(_number, name, function)
    return named


def _number(name: str, metric: Metric, output: Array, target: Array) -> float:
    """What a metric gives, or an error that names it."""
    value = metric(output, target)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"the metric {name!r} gave {reprlib.repr(value)}, expected one number per call") from None
