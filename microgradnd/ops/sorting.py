"""Sorting and partitioning: a choice of elements made by value, through which the gradient flows back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Node
from ..dispatch import any_tracked, as_tensors, implements, refuse, values
from .indexing import pick_along, take
from .shape import as_array, ravel

__all__ = ["partition", "sort", "unique"]


@implements(np.sort)
def sort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: None = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Any:
    """`np.sort`: in rising or falling order along an axis; among equals the gradient follows the stable order.

    Shapes: that of `a`, flat where `axis` is None. Gradient: ``g`` put back where each element came from.

    Raises
    ------
    ValueError
        For an unknown `kind`, or `kind` and `stable` together.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([3.0, 1.0, 2.0], requires_grad=True)
    >>> (np.sort(x) * [1.0, 10.0, 100.0]).sum().backward()
    >>> x.grad
    array([100.,   1.,  10.])
    """
    refuse("np.sort", order=order)
    if kind is not None and stable is not None:
        raise ValueError("`kind` and `stable` parameters can't be provided at the same time. Use only one of them.")
    if kind not in (None, "quicksort", "heapsort", "mergesort", "stable"):
        raise ValueError(f"kind is {kind!r}; expected 'quicksort', 'heapsort', 'mergesort' or 'stable'")
    return _pick(as_array(a), axis, _falling if descending else _rising)


def _rising(x: Any, axis: int) -> Any:
    return np.argsort(x, axis, kind="stable")


def _falling(x: Any, axis: int) -> Any:
    """Equal elements keep their order: sort backwards what was turned around."""
    return x.shape[axis] - 1 - np.flip(_rising(np.flip(x, axis), axis), axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: None = None) -> Any:
    """`np.partition`: what sorting puts at place `kth` is there, nothing larger before it.

    Shapes: that of `a`, flat where `axis` is None. Gradient: ``g`` put back where each element came from.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.partition(x, 0)[0])(np.array([3.0, 1.0, 2.0]))
    array([0., 1., 0.])
    """
    refuse("np.partition", order=order)
    return _pick(as_array(a), axis, lambda x, axis: np.argpartition(x, kth, axis, kind))


def _pick(a: Any, axis: Any, arrange: Any) -> Any:
    if axis is None:
        a, axis = ravel(a), 0
    if not a.ndim:
        raise np.exceptions.AxisError(axis, 0)
    return pick_along(a, arrange(values(a), axis), axis, once=True)


@implements(np.unique)
def unique(ar: Any, *args: Any, **kwargs: Any) -> Any:
    """`np.unique`: each value once, in rising order; the gradient goes to its first occurrence.

    Shapes: ``(k,)`` for k different values. Gradient: ``g`` at first occurrences, 0 at the others.

    What else is asked for (indices, inverse, counts) are integers, as NumPy gives them.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: (mg.unique(x) * [1.0, 10.0]).sum())(np.array([5.0, 3.0, 5.0]))
    array([10.,  1.,  0.])
    """
    ar = as_array(ar)
    plain: Any = np.unique
    result = plain(values(ar), *args, **kwargs)
    if not any_tracked(ar):
        return as_tensors(result) if isinstance(ar, Node) else result
    asked = dict(zip(("return_index", "return_inverse", "return_counts", "axis"), args, strict=False)) | kwargs
    axis = asked.get("axis")
    _, first = plain(values(ar), return_index=True, **{k: v for k, v in asked.items() if not k.startswith("return_")})
    chosen = take(ar, first, axis)
    return (chosen, *result[1:]) if isinstance(result, tuple) else chosen
