"""Norms of vectors and matrices, with the subgradient 0 at 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..core import Op, sample
from ..dispatch import as_tensors, implements, values
from ._samples import apart, calls, normal
from .reductions import spread
from .shape import as_array, astype, expand_dims, moveaxis
from .slopes import over, scale

__all__ = ["matrix_norm", "norm", "vector_norm"]

norm_op: Op = Op(
    lambda x, axis=None, keepdims=False: np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims)),
    lambda g, y, x, axis=None, keepdims=False: scale(
        spread(g, x, axis, keepdims), over(x, spread(y, x, axis, keepdims))
    ),
    name="norm",
    formula="‖{0}‖",
    reference=lambda x, axis=None, keepdims=False: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    samples=calls(
        normal((3,)), normal((2, 3), axis=0), normal((2, 3), axis=(0, 1), keepdims=True), normal((2, 3, 2), axis=-1)
    ),
)


def _p_norm(x: Any, p: float, axis: Any = None, keepdims: bool = False) -> Any:
    return np.power(np.sum(np.power(np.abs(x), p), axis=axis, keepdims=keepdims), 1 / p)


def _p_norm_vjp(g: Any, y: Any, x: Any, p: float, axis: Any = None, keepdims: bool = False) -> Any:
    share = over(np.abs(x), spread(y, x, axis, keepdims))
    with np.errstate(divide="ignore"):
        slope = np.power(share, p - 1)
    return scale(spread(g, x, axis, keepdims), np.sign(x) * slope)


p_norm_op: Op = Op(
    _p_norm,
    _p_norm_vjp,
    name="p_norm",
    formula="‖{0}‖ of order {p}",
    reference=lambda x, p, axis=None, keepdims=False: np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdims) ** (1 / p),
    samples=calls(
        lambda rng: sample(apart(rng, 3), p=3.0),
        lambda rng: sample(apart(rng, 2, 3), p=1.5, axis=0),
        lambda rng: sample(apart(rng, 2, 3), p=-1.0, axis=(0, 1)),
        lambda rng: sample(apart(rng, 3), p=0.5, keepdims=True),
    ),
)


def _of_vectors(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    where = {"axis": axis, "keepdims": bool(keepdims)}
    if ord is None or ord == 2:
        return norm_op(x, **where)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors: expected a number or None")  # noqa: TRY004 - as NumPy does
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(np.abs(x), **where)
    if ord == 1:
        return np.sum(np.abs(x), **where)
    if ord == 0:  # a count: flat
        counts = np.sum(values(x) != 0, **where, dtype=x.dtype)
        return counts if x is values(x) else as_tensors(counts)
    return p_norm_op(x, p=float(ord), **where)


def _of_matrices(x: Any, ord: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if ord in (None, "fro", "f"):
        return norm_op(x, axis=axes, keepdims=bool(keepdims))
    rows_first = moveaxis(x, axes, (-2, -1))
    if ord in (1, -1, np.inf, -np.inf):
        sums = np.sum(np.abs(rows_first), axis=-2 if abs(ord) == 1 else -1)
        result = (np.max if ord > 0 else np.min)(sums, axis=-1)
    elif ord in (2, -2, "nuc"):
        s = np.linalg.svdvals(rows_first)
        result = np.sum(s, axis=-1) if ord == "nuc" else s[..., 0 if ord == 2 else -1]
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices: expected 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc'")
    return expand_dims(result, axes) if keepdims else result


def _floating(x: Any) -> Any:
    x = as_array(x)
    return x if x.dtype.kind == "f" else astype(x, float)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`np.linalg.norm`: of vectors, any order; of matrices "fro", "nuc", 1, -1, 2, -2, inf, -inf.

    Shapes: the axes in `axis`, by default all, go. Gradient: ``g * x / y``, of another order ``g * sign(x) * (|x| /
    y)**(ord - 1)``.

    At 0 the gradient is 0, and a tie of the infinity norm is shared.

    Raises
    ------
    ValueError
        For an unknown order, or other than one or two axes.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([0.0, 0.0], requires_grad=True)
    >>> np.linalg.norm(x).backward()
    >>> x.grad
    array([0., 0.])
    """
    x = _floating(x)
    if axis is None:
        if ord is None or (x.ndim == 2 and ord in ("fro", "f")):
            return norm_op(x, axis=None, keepdims=bool(keepdims))
        axis = tuple(range(x.ndim))
    axes = normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _of_matrices(x, ord, axes, keepdims)
    raise ValueError(
        f"Improper number of dimensions to norm: {len(axes)} axes, of an array of shape {x.shape}; one or two are expected"
    )


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """`np.linalg.vector_norm`: over one axis, several or all as one vector.

    Shapes: the axes in `axis`, by default all, go. Gradient: that of `norm`.

    Raises
    ------
    ValueError
        For an unknown order.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.linalg.vector_norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    return _of_vectors(_floating(x), ord, axis, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """`np.linalg.matrix_norm`: of the matrices in the last two axes.

    Shapes: ``(..., m, n)`` to ``(...)``. Gradient: ``g * x / y`` of "fro"; "nuc", 2 and -2 through the singular values.

    Raises
    ------
    ValueError
        For an unknown order.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.linalg.matrix_norm)(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    x = _floating(x)
    return _of_matrices(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)
