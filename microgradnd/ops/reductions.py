"""Sums, means, products, extremes and spreads along axes.

Each reduction has an op for what every call needs, axis and keepdims, and a function under NumPy's name that
composes the rest: a mask picks with `where` what the reduction sees, an initial value joins in afterwards.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import Op, Sample, sample
from ..dispatch import FUNCTIONS, REDUCTIONS, cast, composed, implements, refuse, where_tracked
from ._samples import apart, over_axes
from .slopes import over, scale

__all__ = [
    "amax",
    "amin",
    "logsumexp",
    "max",
    "mean",
    "min",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

_NO: Any = np._NoValue


def spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Broadcast what belongs to a reduction's result back over the axes that were reduced."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape)


# -- sums and means ----------------------------------------------------------------------------


def _sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum; of float16 in float32, which NumPy does along some axes only."""
    if getattr(x, "dtype", None) == np.float16:
        return np.sum(x, axis, np.float32, keepdims=keepdims).astype(np.float16)
    return np.sum(x, axis, keepdims=keepdims)


sum_op: Op = Op(
    _sum,
    lambda g, y, x, axis=None, keepdims=False: spread(g, x, axis, keepdims),
    name="sum",
    samples=over_axes(),
)
mean_op: Op = Op(
    np.mean,
    lambda g, y, x, axis=None, keepdims=False: spread(g / (x.size // (g.size or 1) or 1), x, axis, keepdims),
    name="mean",
    samples=over_axes(),
)


def _reduce(op: Op, a: Any, axis: Any, keepdims: Any, **options: Any) -> Any:
    if axis is not None:
        options["axis"] = axis
    if keepdims is not _NO and keepdims:
        options["keepdims"] = True
    return op(a, **options)


def _masked(a: Any, where: Any, fill: float) -> Any:
    return a if where is _NO or where is True else np.where(where, a, fill)


def _count(where: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    """How many elements a mask leaves, in the dtype of `a`."""
    mask = np.broadcast_to(True if where is _NO else where, a.shape)
    return np.sum(mask, axis, keepdims=keepdims, dtype=a.dtype)


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    """`np.sum`: add up along axes.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g``, repeated along
    the axes summed.

    >>> import microgradnd as mg
    >>> mg.grad(mg.sum)(np.ones(3))
    array([1., 1., 1.])
    """
    if dtype is out is None and initial is where is _NO:
        return _reduce(sum_op, a, axis, keepdims)
    return _sum_of(a, axis, dtype, out, keepdims, initial=initial, where=where)


@where_tracked(np.sum)
def _sum_of(a: Any, axis: Any, dtype: Any, out: Any, keepdims: Any, *, initial: Any, where: Any) -> Any:
    refuse("np.sum", out=out)
    total = _reduce(sum_op, _masked(cast(a, dtype, "np.sum"), where, 0.0), axis, keepdims)
    return total if initial is _NO else total + initial


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO) -> Any:
    """`np.mean`: average along axes.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g / n``, repeated
    along the axes of n elements.

    >>> import microgradnd as mg
    >>> mg.grad(mg.mean)(np.ones(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    if dtype is out is None and where is _NO:
        return _reduce(mean_op, a, axis, keepdims)
    return _mean_of(a, axis, dtype, out, keepdims, where=where)


@where_tracked(np.mean)
def _mean_of(a: Any, axis: Any, dtype: Any, out: Any, keepdims: Any, *, where: Any) -> Any:
    refuse("np.mean", out=out)
    a = cast(a, dtype, "np.mean")
    return sum(a, axis, keepdims=keepdims, where=where) / _count(where, a, axis, keepdims)


# -- products ----------------------------------------------------------------------------------


def before(running: Any) -> Any:
    """A running product along the last axis, from before each element: 1 first, the whole left out."""
    ones = np.ones((*running.shape[:-1], 1), running.dtype)
    return np.concatenate([ones, running], axis=-1)[..., :-1]


def others(x: Any, axis: Any) -> Any:
    """For each element the product of all the others: running products from both ends, no division by zeros."""
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    reduced = [a % x.ndim for a in axes]
    order = [a for a in range(x.ndim) if a not in reduced] + reduced
    turned = np.transpose(x, order)
    kept = turned.shape[: x.ndim - len(reduced)]
    rows = turned.reshape(*kept, x.size // builtins.max(int(np.prod(kept)), 1))
    left = before(np.cumprod(rows, axis=-1))
    right = before(np.cumprod(rows[..., ::-1], axis=-1))[..., ::-1]
    return np.transpose((left * right).reshape(turned.shape), [order.index(a) for a in range(x.ndim)])


prod_op: Op = Op(
    np.prod,
    lambda g, y, x, axis=None, keepdims=False: scale(spread(g, x, axis, keepdims), others(x, axis)),
    name="prod",
    samples=over_axes(),
)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    """`np.prod`: multiply along axes; the gradient is right where elements are zero.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g`` times the
    product of all the other elements.

    >>> import microgradnd as mg
    >>> mg.grad(mg.prod)(np.array([2.0, 0.0, 3.0]))
    array([0., 6., 0.])
    """
    if dtype is out is None and initial is where is _NO:
        return _reduce(prod_op, a, axis, keepdims)
    return _prod_of(a, axis, dtype, out, keepdims, initial=initial, where=where)


@where_tracked(np.prod)
def _prod_of(a: Any, axis: Any, dtype: Any, out: Any, keepdims: Any, *, initial: Any, where: Any) -> Any:
    refuse("np.prod", out=out)
    total = _reduce(prod_op, _masked(cast(a, dtype, "np.prod"), where, 1.0), axis, keepdims)
    return total if initial is _NO else total * initial


# -- extremes ----------------------------------------------------------------------------------


def _extreme_vjp(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False, **initial: Any) -> Any:
    """Ties share the cotangent equally; a NaN that won takes it."""
    hit = (x == spread(y, x, axis, keepdims)) | (x != x)
    ties = np.maximum(hit.sum(axis=axis, keepdims=keepdims), 1).astype(x.dtype)  # there is none among nothing
    return np.where(hit, spread(g / ties, x, axis, keepdims), 0.0)


max_op: Op = Op(np.max, _extreme_vjp, name="max", samples=over_axes())
min_op: Op = Op(np.min, _extreme_vjp, name="min", samples=over_axes())


@implements(np.max)
def max(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    """`np.max`: the largest along axes; ties share the gradient equally.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g / ties`` at the
    largest, 0 elsewhere.

    Raises
    ------
    ValueError
        With `where` but no `initial`, the value where nothing is left to choose from.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.max)(np.array([2.0, 1.0, 2.0]))
    array([0.5, 0. , 0.5])
    """
    if out is None and initial is where is _NO:
        return _reduce(max_op, a, axis, keepdims)
    return _max_of(a, axis, out, keepdims, initial=initial, where=where)


@implements(np.min)
def min(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    """`np.min`: the smallest along axes; ties share the gradient equally.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g / ties`` at the
    smallest, 0 elsewhere.

    Raises
    ------
    ValueError
        With `where` but no `initial`, the value where nothing is left to choose from.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.min)(np.array([2.0, 1.0, 2.0]))
    array([0., 1., 0.])
    """
    if out is None and initial is where is _NO:
        return _reduce(min_op, a, axis, keepdims)
    return _min_of(a, axis, out, keepdims, initial=initial, where=where)


@where_tracked(np.max)
def _max_of(a: Any, axis: Any, out: Any, keepdims: Any, *, initial: Any, where: Any) -> Any:
    refuse("np.max", out=out)
    return _extreme(max_op, np.maximum, a, axis, keepdims, initial, where, -np.inf)


@where_tracked(np.min)
def _min_of(a: Any, axis: Any, out: Any, keepdims: Any, *, initial: Any, where: Any) -> Any:
    refuse("np.min", out=out)
    return _extreme(min_op, np.minimum, a, axis, keepdims, initial, where, np.inf)


def _extreme(op: Op, pick: Any, a: Any, axis: Any, keepdims: Any, initial: Any, where: Any, worst: float) -> Any:
    if initial is _NO:
        raise ValueError(f"np.{op.name} with where= needs initial= too: the value where nothing is left to choose from")
    return pick(_extreme_or(op, _masked(a, where, worst), axis, keepdims, worst), initial)


def _extreme_or(op: Op, a: Any, axis: Any, keepdims: Any, worst: float) -> Any:
    """The extreme, of nothing the worst there is."""
    return _reduce(op, a, axis, keepdims, **({} if a.size else {"initial": worst}))


amax, amin = max, min
FUNCTIONS.update({np.amax: max, np.amin: min})


@composed(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO) -> Any:
    """`np.ptp`: the largest minus the smallest.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: that of `max` less
    that of `min`.

    >>> import microgradnd as mg
    >>> mg.grad(mg.ptp)(np.array([3.0, 1.0, 2.0]))
    array([ 1., -1.,  0.])
    """
    refuse("np.ptp", out=out)
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# -- spreads -----------------------------------------------------------------------------------


def _deviations(x: Any, axis: Any) -> Any:
    """`x` minus its mean, the mean itself corrected once: of equal numbers exactly zero."""
    with np.errstate(invalid="ignore"):
        d = x - np.mean(x, axis=axis, keepdims=True)
        return d - np.mean(d, axis=axis, keepdims=True)


def _slope(x: Any, y: Any, axis: Any, ddof: float) -> Any:
    return _deviations(x, axis) / builtins.max(x.size // builtins.max(y.size, 1) - ddof, 0)


def _var_reference(x: Any, axis: Any = None, keepdims: bool = False, ddof: float = 0) -> Any:
    mean_square = np.mean(np.square(x - np.mean(x, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims)
    n = x.size // mean_square.size
    return mean_square * (n / (n - ddof))


def _spread_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from (s for s in over_axes()(rng) if s.args[0].ndim)  # one number has no spread
    yield sample(apart(rng, 3, 2), axis=0, ddof=1)


var_op: Op = Op(
    np.var,
    lambda g, y, x, axis=None, keepdims=False, ddof=0: scale(
        spread(2 * g, x, axis, keepdims), _slope(x, y, axis, ddof)
    ),
    name="var",
    samples=_spread_samples,
    reference=_var_reference,
)


def _std_vjp(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False, ddof: float = 0) -> Any:
    g = spread(g, x, axis, keepdims)
    if x.size == y.size and ddof < 1:
        return 0.0 * g  # one number has no spread, wherever it is: flat to any order
    return scale(g, over(_slope(x, y, axis, ddof), spread(y, x, axis, keepdims)))


std_op: Op = Op(
    np.std,
    _std_vjp,
    name="std",
    samples=_spread_samples,
    reference=lambda x, **options: np.sqrt(_var_reference(x, **options)),
)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    """`np.var`: the mean square deviation, in two passes; `ddof` is taken from the number of elements.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``2 * g * (a - mean)
    / (n - ddof)``.

    Raises
    ------
    ValueError
        With both `ddof` and `correction`, two names of one number.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.var)(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    if dtype is out is None and where is mean is correction is _NO:
        return _reduce(var_op, a, axis, keepdims, **({"ddof": ddof} if ddof else {}))
    return _var_of(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    """`np.std`: the root mean square deviation; of equal numbers it is 0, and so is its gradient.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g * (a - mean) /
    ((n - ddof) * y)``.

    Raises
    ------
    ValueError
        With both `ddof` and `correction`, two names of one number.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.std)(np.array([1.0, 3.0]))
    array([-0.5,  0.5])
    """
    if dtype is out is None and where is mean is correction is _NO:
        return _reduce(std_op, a, axis, keepdims, **({"ddof": ddof} if ddof else {}))
    return _std_of(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)


def _variance(
    name: str,
    a: Any,
    axis: Any,
    dtype: Any,
    out: Any,
    ddof: float,
    keepdims: Any,
    where: Any,
    mean: Any,
    correction: Any,
) -> Any:
    refuse(name, out=out)
    if correction is not _NO:
        if ddof:
            raise ValueError(f"{name} takes ddof= or correction=, two names of one number, not both")
        ddof = correction
    a = _masked(cast(a, dtype, name), where, 0.0)  # a NaN behind the mask must not meet a cotangent of 0
    if mean is _NO:
        mean = sum(a, axis, keepdims=True, where=where) / _count(where, a, axis, True)
    squares = sum(np.square(a - mean), axis, keepdims=keepdims, where=where)
    return squares / np.maximum(_count(where, a, axis, keepdims) - ddof, 0)


@where_tracked(np.var)
def _var_of(a: Any, axis: Any, dtype: Any, out: Any, ddof: float, keepdims: Any, **more: Any) -> Any:
    return _variance("np.var", a, axis, dtype, out, ddof, keepdims, **more)


@where_tracked(np.std)
def _std_of(a: Any, axis: Any, dtype: Any, out: Any, ddof: float, keepdims: Any, **more: Any) -> Any:
    variance = _variance("np.std", a, axis, dtype, out, ddof, keepdims, **more)
    positive = variance > 0
    return np.where(positive, np.sqrt(np.where(positive, variance, 1.0)), variance)


# -- reductions that leave NaN out -------------------------------------------------------------


def _present(a: Any, where: Any) -> Any:
    return ~np.isnan(a) if where is _NO else ~np.isnan(a) & where


@composed(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    """`np.nansum`: NaN counts as 0.

    Shapes and gradient: those of `sum`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nansum)(np.array([1.0, np.nan]))
    array([1., 0.])
    """
    return sum(np.where(np.isnan(a), 0.0, a), axis, dtype, out, keepdims, initial, where)


@composed(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    """`np.nanprod`: NaN counts as 1.

    Shapes and gradient: those of `prod`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanprod)(np.array([2.0, np.nan, 3.0]))
    array([3., 0., 2.])
    """
    return prod(np.where(np.isnan(a), 1.0, a), axis, dtype, out, keepdims, initial, where)


@composed(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO
) -> Any:
    """`np.nanmean`: the average of what is not NaN.

    Shapes and gradient: those of `mean`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanmean)(np.array([1.0, np.nan, 3.0]))
    array([0.5, 0. , 0.5])
    """
    return mean(a, axis, dtype, out, keepdims, where=_present(a, where))


@composed(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    """`np.nanvar`: the variance of what is not NaN.

    Shapes and gradient: those of `var`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanvar)(np.array([1.0, np.nan, 3.0]))
    array([-1.,  0.,  1.])
    """
    return var(a, axis, dtype, out, ddof, keepdims, where=_present(a, where), mean=mean, correction=correction)


@composed(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    """`np.nanstd`: the standard deviation of what is not NaN.

    Shapes and gradient: those of `std`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanstd)(np.array([1.0, np.nan, 3.0]))
    array([-0.5,  0. ,  0.5])
    """
    return std(a, axis, dtype, out, ddof, keepdims, where=_present(a, where), mean=mean, correction=correction)


def _nan_extreme(
    name: str,
    op: Op,
    pick: Any,
    worst: float,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
) -> Any:
    refuse(name, out=out)
    present = _present(a, where)
    a = np.where(present, a, worst)
    y = _reduce(op, a, axis, keepdims) if initial is _NO else _extreme_or(op, a, axis, keepdims, worst)
    y = np.where(np.any(present, axis, keepdims=keepdims), y, np.nan)
    return y if initial is _NO else pick(y, initial)


@composed(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    """`np.nanmax`: the largest that is not NaN; NaN where nothing else is there.

    Shapes and gradient: those of `max`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanmax)(np.array([1.0, np.nan, 3.0]))
    array([0., 0., 1.])
    """
    return _nan_extreme("np.nanmax", max_op, np.fmax, -np.inf, a, axis, out, keepdims, initial, where)


@composed(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    """`np.nanmin`: the smallest that is not NaN; NaN where nothing else is there.

    Shapes and gradient: those of `min`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanmin)(np.array([1.0, np.nan, 3.0]))
    array([1., 0., 0.])
    """
    return _nan_extreme("np.nanmin", min_op, np.fmin, np.inf, a, axis, out, keepdims, initial, where)


# -- log-sum-exp -------------------------------------------------------------------------------


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = np.asarray(x) if np.result_type(x).kind == "f" else np.asarray(x, float)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(over="ignore", divide="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


def _logsumexp_vjp(g: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The softmax; infinities share as the largest do, and a row of -inf, all masked, passes nothing."""
    y = spread(y, x, axis, keepdims)
    endless = np.isposinf(x)
    with np.errstate(invalid="ignore"):
        share = np.exp(np.where(np.isinf(y), -np.inf, x - y))
    ties = np.sum(endless, axis=axis, keepdims=True).astype(x.dtype)
    return scale(spread(g, x, axis, keepdims), np.where(endless, 1 / np.maximum(ties, 1), share))


logsumexp_op: Op = Op(
    _logsumexp,
    _logsumexp_vjp,
    name="logsumexp",
    formula="log(sum(exp({0})))",
    samples=over_axes(),
    reference=lambda x, **options: np.log(np.sum(np.exp(x), **options)),
)


def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Logarithm of the sum of exponentials along axes, without overflow.

    Shapes: the axes in `axis`, by default all, go, or stay with length 1 if `keepdims`. Gradient: ``g * softmax(a)``.

    Parameters
    ----------
    a
        Array or tensor of real numbers.
    axis
        None for all, an axis, or a tuple of axes.
    keepdims
        Keep the reduced axes, with length one.

    Notes
    -----
    Shifted by the largest, as in Blanchard, Higham & Higham (2021), doi 10.1093/imanum/draa038. Where every
    element is -inf the value is -inf and the gradient 0.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([1000.0, 1000.0], requires_grad=True)
    >>> y = mg.logsumexp(x)
    >>> y.backward()
    >>> print(y.item(), x.grad)
    1000.6931471805599 [0.5 0.5]
    """
    return _reduce(logsumexp_op, a, axis, keepdims)


def _reduce_logaddexp(
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    refuse("np.logaddexp.reduce", out=out)
    total = logsumexp(_masked(cast(a, dtype, "np.logaddexp.reduce"), where, -np.inf), axis, keepdims is True)
    return total if initial is _NO else np.logaddexp(total, initial)


def _reduce_extreme(function: Any) -> Any:
    def reduce(a: Any, axis: Any = 0, dtype: Any = None, out: Any = None, **more: Any) -> Any:
        return function(cast(a, dtype, f"np.{function.__name__}"), axis, out, **more)

    return reduce


REDUCTIONS.update(
    {
        np.add: sum,
        np.multiply: prod,
        np.maximum: _reduce_extreme(max),
        np.minimum: _reduce_extreme(min),
        np.fmax: _reduce_extreme(nanmax),
        np.fmin: _reduce_extreme(nanmin),
        np.logaddexp: _reduce_logaddexp,
    }
)
