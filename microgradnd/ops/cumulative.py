"""Running sums and products, differences, and the integrals and slopes made of them."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core import Op, sample
from ..dispatch import ACCUMULATIONS, UFUNCS, cast, composed, refuse
from ._samples import calls
from .reductions import before
from .slopes import scale

__all__ = [
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
    "gradient",
    "nancumprod",
    "nancumsum",
    "trapezoid",
]

_NO: Any = np._NoValue


def at(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that reads `index` along one axis, and everything along those before it."""
    return (*(slice(None),) * axis, index)


def _along(x: Any, axis: int) -> int:
    """The axis counted from the front; NumPy's error if there is none."""
    return int(np.lib.array_utils.normalize_axis_index(axis, np.ndim(x)))


# -- running sums and products -----------------------------------------------------------------


def _from_behind(g: Any, axis: int) -> Any:
    back = at(axis, slice(None, None, -1))
    return np.cumsum(g[back], axis=axis)[back]


def _cumprod_vjp(g: Any, y: Any, x: Any, axis: int) -> Any:
    """What stands before each element times s, where s[i] = g[i] + x[i + 1] s[i + 1]: no division by zeros.

    The recurrence is solved for all elements at once, by doubling how far ahead each one has looked
    (Hillis & Steele 1986, doi 10.1145/7902.7903).
    """
    g, y, x = (np.swapaxes(v, axis, -1) for v in (g, y, x))
    total, factor, reach = g, _ahead(x, 1), 1
    while reach < x.shape[-1]:
        total = total + scale(_ahead(total, reach), factor)
        with np.errstate(over="ignore", invalid="ignore"):
            factor = factor * _ahead(factor, reach)
        reach *= 2
    return np.swapaxes(scale(total, before(y)), axis, -1)


def _ahead(x: Any, n: int) -> Any:
    """Along the last axis the elements `n` further on; zeros beyond the end."""
    return np.concatenate([x[..., n:], np.zeros((*x.shape[:-1], builtins.min(n, x.shape[-1])), x.dtype)], axis=-1)


_RUNS = calls(
    lambda rng: sample(rng.normal(size=5), axis=0),
    lambda rng: sample(rng.normal(size=(2, 3)), axis=0),
    lambda rng: sample(rng.normal(size=(2, 3, 2)), axis=1),
    lambda rng: sample(np.array([[2.0, 0.0, 3.0, 0.0], [0.0, 1.0, 2.0, 3.0]]), axis=1),
    lambda rng: sample(np.zeros((2, 0)), axis=1),
)
cumsum_op: Op = Op(np.cumsum, lambda g, y, x, axis: _from_behind(g, axis), name="cumsum", samples=_RUNS)
cumprod_op: Op = Op(np.cumprod, _cumprod_vjp, name="cumprod", samples=_RUNS)


def _run(op: Op, name: str, a: Any, axis: Any, dtype: Any, out: Any) -> Any:
    refuse(name, out=out)
    a = cast(a, dtype, name)
    if axis is None:
        return op(np.reshape(a, -1), axis=0)
    return op(a, axis=_along(a, axis))


@composed(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`np.cumsum`: running sums along an axis, by default of the flattened array.

    Shapes: that of `a`; flat where `axis` is None. Gradient: ``g`` summed from behind.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.cumsum(x).sum())(np.ones(3))
    array([3., 2., 1.])
    """
    return _run(cumsum_op, "np.cumsum", a, axis, dtype, out)


@composed(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`np.cumprod`: running products; the gradient is right where elements are zero.

    Shapes: that of `a`; flat where `axis` is None. Gradient: ``sum(g[j] * y[j] / x[i])`` over ``j >= i``, without the
    division (Hillis & Steele 1986, doi 10.1145/7902.7903).

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.cumprod(x)[-1])(np.array([2.0, 0.0, 4.0]))
    array([0., 8., 0.])
    """
    return _run(cumprod_op, "np.cumprod", a, axis, dtype, out)


@composed(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`np.nancumsum`: NaN counts as 0.

    Shapes and gradient: those of `cumsum`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.nancumsum(x)[-1])(np.array([1.0, np.nan]))
    array([1., 0.])
    """
    return cumsum(np.where(np.isnan(a), 0.0, a), axis, dtype, out)


@composed(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """`np.nancumprod`: NaN counts as 1.

    Shapes and gradient: those of `cumprod`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.nancumprod(x)[-1])(np.array([2.0, np.nan, 3.0]))
    array([3., 0., 2.])
    """
    return cumprod(np.where(np.isnan(a), 1.0, a), axis, dtype, out)


def _cumulative(run: Any, start: float, x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool) -> Any:
    refuse(f"np.cumulative_{'prod' if start else 'sum'}", out=out)
    if axis is None and x.ndim > 1:
        raise ValueError(f"np.cumulative_{'prod' if start else 'sum'} needs axis= for {x.ndim} axes")
    y = run(x, axis, dtype, out)
    if not include_initial:
        return y
    shape = list(y.shape)
    shape[axis or 0] = 1
    return np.concatenate([np.full(shape, start, y.dtype), y], axis=axis or 0)


@composed(np.cumulative_sum)
def cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """`np.cumulative_sum`: running sums, from 0 on if `include_initial`.

    Shapes: that of `x`, one longer along `axis` if `include_initial`. Gradient: that of `cumsum`.

    Raises
    ------
    ValueError
        If `axis` is left out for more than one axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.cumulative_sum(mg.tensor([1.0, 2.0]), include_initial=True).data
    array([0., 1., 3.])
    """
    return _cumulative(cumsum, 0.0, x, axis, dtype, out, include_initial)


@composed(np.cumulative_prod)
def cumulative_prod(
    x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """`np.cumulative_prod`: running products, from 1 on if `include_initial`.

    Shapes: that of `x`, one longer along `axis` if `include_initial`. Gradient: that of `cumprod`.

    Raises
    ------
    ValueError
        If `axis` is left out for more than one axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.cumulative_prod(mg.tensor([3.0, 2.0]), include_initial=True).data
    array([1., 3., 6.])
    """
    return _cumulative(cumprod, 1.0, x, axis, dtype, out, include_initial)


def _running(ufunc: Any) -> Any:
    """`ufunc.accumulate` for a ufunc that has no better way than one step after the other."""

    def accumulate(a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        name = f"np.{ufunc.__name__}.accumulate"
        refuse(name, out=out)
        a = cast(a, dtype, name)
        axis = _along(a, axis)
        parts = [a[at(axis, slice(0, 1))]]
        for i in range(1, a.shape[axis]):
            parts.append(UFUNCS[ufunc](parts[-1], a[at(axis, slice(i, i + 1))]))
        return np.concatenate(parts, axis=axis)

    return accumulate


ACCUMULATIONS.update({np.add: cumsum, np.multiply: cumprod})
ACCUMULATIONS.update(
    {
        ufunc: _running(ufunc)
        for ufunc in (
            np.subtract,
            np.divide,
            np.power,
            np.maximum,
            np.minimum,
            np.fmax,
            np.fmin,
            np.logaddexp,
            np.logaddexp2,
            np.hypot,
        )
    }
)


# -- differences -------------------------------------------------------------------------------


@composed(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO, append: Any = _NO) -> Any:
    """`np.diff`: each element minus the one before it, `n` times over.

    Shapes: `n` shorter along `axis`. Gradient: ``g[i - 1] - g[i]``, `n` times over.

    Raises
    ------
    ValueError
        If `n` is negative.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.diff(x)[0])(np.ones(3))
    array([-1.,  1.,  0.])
    """
    if n < 0:
        raise ValueError(f"np.diff takes n >= 0, not {n}")
    axis = _along(a, axis)
    ends = [_one_wide(end, a, axis) for end in (prepend, append)]
    a = np.concatenate([*ends[0], a, *ends[1]], axis=axis)
    for _ in range(n):
        a = a[at(axis, slice(1, None))] - a[at(axis, slice(None, -1))]
    return a


def _one_wide(end: Any, a: Any, axis: int) -> list[Any]:
    """What goes before or behind `a`: a number fills one place of the axis, an array is taken as it is."""
    if end is _NO:
        return []
    shape = list(np.shape(a))
    shape[axis] = 1
    return [end if np.ndim(end) else np.broadcast_to(end, shape)]


@composed(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """`np.ediff1d`: differences of the flattened array, with something before and behind.

    Shapes: any, of n elements, to ``(n - 1,)`` and the ends. Gradient: that of `diff`; an end's own part of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.ediff1d(x)[1])(np.ones(3))
    array([ 0., -1.,  1.])
    """
    parts = [diff(np.reshape(ary, -1))]
    if to_begin is not None:
        parts.insert(0, cast(np.reshape(to_begin, -1), ary.dtype, "np.ediff1d"))
    if to_end is not None:
        parts.append(cast(np.reshape(to_end, -1), ary.dtype, "np.ediff1d"))
    return np.concatenate(parts)


@composed(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`np.trapezoid`: the integral along an axis by the trapezoidal rule.

    Shapes: `axis` goes. Gradient: ``g * dx`` inside, half of that at both ends; for `x` the differences of mean
    heights.

    >>> import microgradnd as mg
    >>> mg.grad(mg.trapezoid)(np.ones(3))
    array([0.5, 1. , 0.5])
    """
    axis = _along(y, axis)
    if x is not None:
        dx = diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if np.ndim(x) == 1:
            dx = np.reshape(dx, (-1,) + (1,) * (y.ndim - axis - 1))
    return np.sum(dx * (y[at(axis, slice(1, None))] + y[at(axis, slice(None, -1))]), axis=axis) * 0.5


@composed(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """`np.gradient`: second-order central differences inside, one-sided ones at the edges.

    Shapes: that of `f`, once for each axis. Gradient: the same stencil's transpose.

    Raises
    ------
    TypeError
        If the number of spacings is neither none, one, nor that of the axes.
    ValueError
        If an axis is too short for `edge_order`, which is 1 or 2.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda f: mg.gradient(f)[1])(np.ones(3))
    array([-0.5,  0. ,  0.5])
    """
    axes = range(np.ndim(f)) if axis is None else [_along(f, i) for i in np.atleast_1d(axis)]
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(f"np.gradient takes no spacing, one for all, or one for each of the {len(axes)} axes")
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    slopes = [_slope_along(f, h, i, edge_order) for i, h in zip(axes, spacings, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slope_along(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    n = f.shape[axis]
    if edge_order not in (1, 2) or n < edge_order + 1:
        raise ValueError(
            f"np.gradient of {n} elements along axis {axis} with edge_order={edge_order}: give edge_order 1 or 2, and at least one element more"
        )

    h, back, on = spacing, 1.0, 1.0  # type: Any, Any, Any
    if np.ndim(spacing):
        h = np.reshape(np.diff(spacing), (-1,) + (1,) * (f.ndim - axis - 1))
        back, on = h[:-1], h[1:]
    steps = np.diff(f, axis=axis) / h
    left, right = steps[at(axis, slice(None, -1))], steps[at(axis, slice(1, None))]
    inside = (on * left + back * right) / (back + on)
    first, last = steps[at(axis, slice(0, 1))], steps[at(axis, slice(-1, None))]
    if edge_order == 2:  # the parabola through the three outermost points
        first = first + (first - inside[at(axis, slice(0, 1))])
        last = last + (last - inside[at(axis, slice(-1, None))])
    return np.astype(np.concatenate([first, inside, last], axis=axis), f.dtype, copy=False)
