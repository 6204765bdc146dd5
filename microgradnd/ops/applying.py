"""NumPy's functions that apply a function of yours, along one axis or over several."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dispatch import composed

__all__ = ["apply_along_axis", "apply_over_axes"]


@composed(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`np.apply_along_axis`: a function of one row after the other, their results put together again.

    Shapes: `axis` is replaced by the axes of what the function gives. Gradient: through the function, row by row.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.apply_along_axis(np.sum, 1, x)[0])(np.ones((2, 2)))
    array([[1., 1.],
           [0., 0.]])
    """
    rows = np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    rows = np.reshape(rows, (math.prod(outer), rows.shape[-1]))
    results = np.stack([func1d(rows[i], *args, **kwargs) for i in range(len(rows))])
    inner = results.ndim - 1
    y = np.reshape(results, outer + results.shape[1:])
    at = axis % np.ndim(arr)
    return np.moveaxis(y, range(len(outer), len(outer) + inner), range(at, at + inner))


@composed(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """`np.apply_over_axes`: ``func(a, axis)`` over one axis after the other, keeping them.

    Shapes: the axes gone over stay, with the length that the function leaves. Gradient: through the function.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.apply_over_axes(np.sum, x, [0, 1])[0, 0])(np.ones((2, 2)))
    array([[1., 1.],
           [1., 1.]])
    """
    for axis in np.atleast_1d(axes):
        y = func(a, int(axis))
        a = y if y.ndim == a.ndim else np.expand_dims(y, int(axis))
    return a
