"""Sums of products: matmul, dot and its kin, Kronecker and cross products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..backward import sum_to
from ..core import Op
from ..dispatch import composed, implements, refuse
from ._samples import calls, normal
from .arithmetic import multiply
from .shape import as_array, moveaxis, ravel, reshape, roll, transpose

__all__ = [
    "cross",
    "dot",
    "inner",
    "kron",
    "matmul",
    "matvec",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
    "vecmat",
]


def _flip(m: Any) -> Any:
    return np.swapaxes(m, -1, -2)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The row or column that matmul made of a vector, and took away again, put back."""
    if b.ndim == 1:
        g, b = g[..., None], b[:, None]
    if a.ndim == 1:
        g, a = g[..., None, :], a[None, :]
    return g, a, b


def _matmul_vjp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim >= 2 == b.ndim:
        return g @ b.T
    gm, am, bm = _as_matrices(g, a, b)
    return sum_to(gm @ _flip(bm), am.shape).reshape(a.shape)


def _matmul_vjp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == 2 == b.ndim:
        return a.T @ g
    if a.ndim > 2 == b.ndim:  # one product instead of one per matrix of the stack
        rows = math.prod(a.shape[:-1])
        return a.reshape(rows, a.shape[-1]).T @ g.reshape(rows, g.shape[-1])
    gm, am, bm = _as_matrices(g, a, b)
    return sum_to(_flip(am) @ gm, bm.shape).reshape(b.shape)


matmul: Op = Op(
    np.matmul,
    _matmul_vjp_a,
    _matmul_vjp_b,
    formula="{0} @ {1}",
    samples=calls(
        normal((2, 3), (3, 4)),
        normal((3,), (3,)),
        normal((3,), (3, 2)),
        normal((2, 3), (3,)),
        normal((4, 2, 3), (3, 2)),
        normal((2, 3), (4, 3, 2)),
        normal((5, 1, 2, 3), (4, 3, 2)),
        normal((3,), (4, 3, 2)),
        normal((4, 2, 3), (3,)),
        normal((2, 0), (0, 3)),
    ),
)


@implements(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    """`np.dot`: sums over the last axis of `a` and the second to last of `b`.

    Shapes: ``(..., n)`` and ``(..., n, m)`` to ``(..., ..., m)``, or vectors to a number. Gradient: that of `matmul`:
    ``g @ b.T`` and ``a.T @ g``.

    >>> import microgradnd as mg
    >>> mg.grad(mg.dot)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    refuse("np.dot", out=out)
    a, b = as_array(a), as_array(b)
    if not (a.ndim and b.ndim):
        return multiply(a, b)
    return matmul(a, b) if b.ndim <= 2 else tensordot(a, b, (-1, -2))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """`np.vdot`: the sum of products of all elements.

    Shapes: any two of n elements, to a number. Gradient: ``g * b`` and ``g * a``.

    >>> import microgradnd as mg
    >>> mg.grad(mg.vdot)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    return matmul(ravel(a), ravel(b))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """`np.inner`: sums over the last axes.

    Shapes: ``(..., n)`` and ``(..., n)`` to ``(..., ...)``. Gradient: ``g @ b`` and ``g.T @ a`` for matrices.

    >>> import microgradnd as mg
    >>> mg.grad(mg.inner)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    a, b = as_array(a), as_array(b)
    return tensordot(a, b, (-1, -1)) if a.ndim and b.ndim else multiply(a, b)


@implements(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Any:
    """`np.outer`: every element of one times every element of the other.

    Shapes: any of m and n elements, to ``(m, n)``. Gradient: ``g @ b`` and ``a @ g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.outer(a, b).sum())(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([7., 7.])
    """
    refuse("np.outer", out=out)
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """`np.tensordot`: sums over pairs of axes, or over the last `axes` of `a` and the first of `b`.

    Shapes: the axes left of `a`, then those left of `b`. Gradient: ``tensordot`` of ``g`` with the other, over the
    other's axes that were left.

    Raises
    ------
    ValueError
        If the axes to sum over differ in length.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.tensordot(a, b))(np.ones((1, 2)), np.array([[3.0, 4.0]]))
    array([[3., 4.]])
    """
    a, b = as_array(a), as_array(b)
    over_a, over_b = axes if np.iterable(axes) else (range(-axes, 0), range(axes))
    over_a, over_b = normalize_axis_tuple(over_a, a.ndim), normalize_axis_tuple(over_b, b.ndim)
    summed = [a.shape[i] for i in over_a]
    if summed != [b.shape[i] for i in over_b]:
        raise ValueError(
            f"shape-mismatch for sum: tensordot of {a.shape} and {b.shape} over axes {over_a} and {over_b}"
        )
    left = [i for i in range(a.ndim) if i not in over_a]
    right = [i for i in range(b.ndim) if i not in over_b]
    shape = [a.shape[i] for i in left], [b.shape[i] for i in right]
    n = math.prod(summed)
    rows = reshape(transpose(a, (*left, *over_a)), (math.prod(shape[0]), n))
    columns = reshape(transpose(b, (*over_b, *right)), (n, math.prod(shape[1])))
    return reshape(matmul(rows, columns), (*shape[0], *shape[1]))


@composed(np.vecdot)
def vecdot(x1: Any, x2: Any, /, axis: int = -1) -> Any:
    """`np.vecdot`: sums of products along one axis.

    Shapes: `x1` and `x2` broadcast, and `axis` goes. Gradient: ``g * x2`` and ``g * x1``, ``g`` spread along `axis`.

    Raises
    ------
    ValueError
        If one has no axis, or the vectors differ in length.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.vecdot(a, b).sum())(np.ones((1, 2)), np.array([[3.0, 4.0]]))
    array([[3., 4.]])
    """
    x1, x2 = as_array(x1), as_array(x2)
    if not (x1.ndim and x2.ndim):
        raise ValueError(f"vecdot needs an axis of vectors in both; got shapes {x1.shape} and {x2.shape}")
    axis = axis if axis < 0 else axis - max(x1.ndim, x2.ndim)
    normalize_axis_index(axis, x1.ndim)
    a, b = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"vecdot of vectors of different lengths: shapes {x1.shape} and {x2.shape}, axis {axis}")
    return np.sum(multiply(a, b), axis=-1)


def matvec(x1: Any, x2: Any, /) -> Any:
    """`np.matvec`: stacks of matrices times stacks of vectors.

    Shapes: ``(..., m, n)`` and ``(..., n)`` to ``(..., m)``. Gradient: that of `matmul`: ``outer(g, x2)`` and ``x1.T @
    g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda A, x: mg.matvec(A, x).sum())(np.ones((1, 2)), np.array([3.0, 4.0]))
    array([[3., 4.]])
    """
    return matmul(x1, as_array(x2)[..., None])[..., 0]


def vecmat(x1: Any, x2: Any, /) -> Any:
    """`np.vecmat`: stacks of vectors times stacks of matrices.

    Shapes: ``(..., m)`` and ``(..., m, n)`` to ``(..., n)``. Gradient: that of `matmul`: ``x2 @ g`` and ``outer(x1,
    g)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x, A: mg.vecmat(x, A).sum())(np.ones(1), np.array([[3.0, 4.0]]))
    array([7.])
    """
    return matmul(as_array(x1)[..., None, :], x2)[..., 0, :]


if hasattr(np, "matvec"):  # NumPy 2.2
    implements(np.matvec)(matvec)
    implements(np.vecmat)(vecmat)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """`np.kron`: the Kronecker product, blocks of `b` scaled by the elements of `a`.

    Shapes: ``(m, n)`` and ``(p, q)`` to ``(m p, n q)``, and so for each axis. Gradient: each element of `a` gets the
    sum of its block of ``g * b``; `b` gets the sum of the blocks of ``g``, scaled by `a`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.kron(a, b).sum())(np.ones(2), np.array([3.0, 4.0]))
    array([7., 7.])
    """
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    outside, inside = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    blocks = multiply(
        reshape(a, tuple(k for n in outside for k in (n, 1))), reshape(b, tuple(k for n in inside for k in (1, n)))
    )
    return reshape(blocks, tuple(m * n for m, n in zip(outside, inside, strict=True)))


@composed(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """`np.cross`: the vector perpendicular to both, for vectors of three components.

    Shapes: ``(..., 3)`` and ``(..., 3)`` broadcast. Gradient: ``b x g`` and ``g x a``.

    Raises
    ------
    ValueError
        If a vector hasn't three components.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.cross(a, b)[2])(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([1., 0., 0.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross takes vectors of three components; got {a.shape[-1]} and {b.shape[-1]}")
    c = roll(a, -1, -1) * roll(b, -2, -1) - roll(a, -2, -1) * roll(b, -1, -1)
    return moveaxis(c, -1, axisc)
