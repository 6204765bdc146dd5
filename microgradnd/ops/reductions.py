"""Sums, means and extremes along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Op
from ..dispatch import REDUCTIONS, implements
from ._samples import over_axes

__all__ = [
    "max",
    "mean",
    "min",
    "sum",
]


def spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Broadcast what belongs to a reduction's result back over the axes that were reduced."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape)


def _extreme_vjp(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Ties share the cotangent equally; a NaN that won takes it."""
    hit = (x == spread(y, x, axis, keepdims)) | (x != x)
    ties = hit.sum(axis=axis, keepdims=keepdims).astype(x.dtype)
    return np.where(hit, spread(g / ties, x, axis, keepdims), 0.0)


sum_op: Op = Op(
    np.sum,
    lambda g, y, x, axis=None, keepdims=False: spread(g, x, axis, keepdims),
    name="sum",
    samples=over_axes(),
)
mean_op: Op = Op(
    np.mean,
    lambda g, y, x, axis=None, keepdims=False: spread(g / (x.size // g.size), x, axis, keepdims),
    name="mean",
    samples=over_axes(),
)
max_op: Op = Op(np.max, _extreme_vjp, name="max", samples=over_axes())
min_op: Op = Op(np.min, _extreme_vjp, name="min", samples=over_axes())


def _reduce(op: Op, a: Any, axis: Any, keepdims: Any) -> Any:
    options = {}
    if axis is not None:
        options["axis"] = axis
    if keepdims is not np._NoValue and keepdims:
        options["keepdims"] = True
    return op(a, **options)


@implements(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False) -> Any:
    """`np.sum`: add up along axes."""
    return _reduce(sum_op, a, axis, keepdims)


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False) -> Any:
    """`np.mean`: average along axes."""
    return _reduce(mean_op, a, axis, keepdims)


@implements(np.max, np.amax)
def max(a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> Any:
    """`np.max`: the largest along axes; ties share the gradient equally."""
    return _reduce(max_op, a, axis, keepdims)


@implements(np.min, np.amin)
def min(a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> Any:
    """`np.min`: the smallest along axes; ties share the gradient equally."""
    return _reduce(min_op, a, axis, keepdims)


REDUCTIONS.update({np.add: sum, np.maximum: max, np.minimum: min})
