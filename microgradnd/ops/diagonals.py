"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..dispatch import composed, implements, refuse
from .arithmetic import where
from .indexing import read, scatter
from .shape import as_array, moveaxis, ravel, reshape

__all__ = ["diag", "diagflat", "diagonal", "trace", "tril", "triu"]


def _places(rows: int, columns: int, offset: int) -> slice:
    """A diagonal's elements in the raveled matrix: every (columns + 1)-th."""
    start = offset if offset >= 0 else -offset * columns
    count = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return slice(start, start + count * (columns + 1) - columns if count else start, columns + 1)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """`np.diagonal`: the diagonals of the matrices in two axes, along a new last axis.

    Shapes: ``(..., m, n)`` to ``(..., k)``. Gradient: ``g`` on the diagonal, 0 beside it.

    Raises
    ------
    ValueError
        If `a` has fewer than two axes.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.diagonal(A).sum())(np.ones((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    a = as_array(a)
    if a.ndim < 2:
        raise ValueError(f"diagonal needs two axes; the input has shape {a.shape}")
    a = moveaxis(a, normalize_axis_tuple((axis1, axis2), a.ndim), (-2, -1))
    flat = reshape(a, (*a.shape[:-2], a.shape[-2] * a.shape[-1]))
    return read(flat, (..., _places(a.shape[-2], a.shape[-1], offset)))


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Any:
    """`np.trace`: the sum along the diagonal.

    Shapes: ``(m, n, ...)`` to ``(...)``. Gradient: ``g`` on the diagonal, 0 beside it.

    >>> import microgradnd as mg
    >>> mg.grad(mg.trace)(np.ones((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    refuse("np.trace", out=out)
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, **({} if dtype is None else {"dtype": dtype}))


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """`np.diag`: a matrix from its diagonal, or the diagonal of a matrix.

    Shapes: ``(n,)`` to ``(n + |k|, n + |k|)``, or a matrix to ``(n,)``. Gradient: the diagonal of ``g``, or ``g`` on
    the diagonal.

    Raises
    ------
    ValueError
        If `v` has neither one axis nor two.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda v: mg.diag(v)[0, 0])(np.ones(2))
    array([1., 0.])
    """
    v = as_array(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"Input must be 1- or 2-d: diag got shape {v.shape}")
    n = v.shape[0] + abs(k)
    return reshape(scatter(v, index=_places(n, n, k), shape=(n * n,)), (n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """`np.diagflat`: a matrix with all elements on its diagonal.

    Shapes: any, of n elements, to ``(n + |k|, n + |k|)``. Gradient: the diagonal of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda v: mg.diagflat(v).sum())(np.ones((1, 2)))
    array([[1., 1.]])
    """
    return diag(ravel(v), k)


@composed(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """`np.tril`: zero above the diagonal.

    Shapes: that of `m`. Gradient: ``tril(g, k)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.tril(A).sum())(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    m = as_array(m)
    return where(np.tril(np.ones(m.shape[-2:], bool), k), m, 0)


@composed(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """`np.triu`: zero below the diagonal.

    Shapes: that of `m`. Gradient: ``triu(g, k)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A: mg.triu(A).sum())(np.ones((2, 2)))
    array([[1., 1.],
           [0., 1.]])
    """
    m = as_array(m)
    return where(np.tril(np.ones(m.shape[-2:], bool), k - 1), 0, m)
