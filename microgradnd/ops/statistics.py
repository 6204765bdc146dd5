"""Averages, order statistics, correlations, interpolation and grids: all composed of other ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..dispatch import any_tracked, cast, composed, refuse, values
from ..messages import refuse_mask
from .reductions import mean, sum

__all__ = [
    "average",
    "corrcoef",
    "cov",
    "geomspace",
    "interp",
    "linspace",
    "logspace",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]

_NO: Any = np._NoValue


@composed(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _NO) -> Any:
    """`np.average`: the mean, weighted if weights are given.

    Shapes: the axes in `axis` go; `weights` have that of `a`, or of its `axis`. Gradient: ``g * w / sum(w)`` for `a`,
    ``g * (a - y) / sum(w)`` for the weights.

    Raises
    ------
    ZeroDivisionError
        If the weights sum to zero.
    TypeError
        If weights of another shape come without `axis`.
    ValueError
        If they don't fit that axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.average(x, weights=[1.0, 3.0]))(np.ones(2))
    array([0.25, 0.75])
    """
    if weights is None:
        y = mean(a, axis, keepdims=keepdims)
        total: Any = np.full(y.shape, np.size(a) // max(y.size, 1), y.dtype)
    else:
        w = _like(weights, a, axis)
        total = sum(w, axis, keepdims=keepdims)
        if np.any(values(total) == 0):
            raise ZeroDivisionError("np.average: the weights sum to zero, and can't be normalised")
        y = sum(a * w, axis, keepdims=keepdims) / total
    return (y, np.broadcast_to(total, y.shape)) if returned else y


def _like(weights: Any, a: Any, axis: Any) -> Any:
    """Weights of all of `a`, or of some of its axes, in a shape that broadcasts against it."""
    shape = np.shape(a)
    if np.shape(weights) == shape:
        return weights
    if axis is None:
        raise TypeError(
            f"np.average: weights of shape {np.shape(weights)} need axis= to belong to an array of shape {shape}"
        )
    axes = [i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))]
    if np.shape(weights) != tuple(shape[i] for i in axes):
        raise ValueError(f"np.average: weights of shape {np.shape(weights)} don't fit axis {axis} of shape {shape}")
    turned = np.transpose(weights, np.argsort(axes))
    return np.broadcast_to(np.reshape(turned, [n if i in axes else 1 for i, n in enumerate(shape)]), shape)


# -- order statistics --------------------------------------------------------------------------


class Sorted:
    """The elements along the reduced axes in ascending order, to pick from by rank.

    Ranks are plain integers, found on plain numbers with a stable sort; only the picking is differentiated.
    """

    def __init__(self, a: Any, axis: Any, skip_nan: bool) -> None:
        self.reduced = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
        kept = [i for i in range(a.ndim) if i not in self.reduced]
        self.ndim = a.ndim
        turned = np.transpose(a, [*kept, *self.reduced])
        self.shape = turned.shape[: len(kept)]
        self.rows = np.reshape(turned, (math.prod(self.shape), math.prod(turned.shape[len(kept) :])))
        plain = values(self.rows)
        self.order = np.argsort(plain, axis=-1, kind="stable")
        nans = np.isnan(plain).sum(axis=-1)
        self.count = plain.shape[-1] - (nans if skip_nan else 0 * nans)
        self.lost = self.count == 0 if skip_nan else nans > 0

    def pick(self, rank: Any) -> Any:
        """The element of this rank in each row; NaN where the row has none to give."""
        row = np.arange(len(self.order))
        picked = self.rows[row, self.order[row, np.clip(rank, 0, self.order.shape[-1] - 1)]]
        return np.where(self.lost, np.nan, picked)

    def restore(self, y: Any, keepdims: Any) -> Any:
        """A result per row in the shape that the reduction should have."""
        if keepdims is True:
            kept = iter(self.shape)
            return np.reshape(y, [1 if i in self.reduced else next(kept) for i in range(self.ndim)])
        return np.reshape(y, self.shape)


def _median(name: str, skip_nan: bool, a: Any, axis: Any, out: Any, overwrite_input: bool, keepdims: Any) -> Any:
    refuse(name, out=out, overwrite_input=overwrite_input)
    ranked = Sorted(a, axis, skip_nan)
    if not ranked.rows.shape[-1]:
        return np.mean(a, axis=axis, keepdims=keepdims is True)  # of nothing: NaN, with NumPy's warning
    low, high = (ranked.count - 1) // 2, ranked.count // 2
    return ranked.restore((ranked.pick(low) + ranked.pick(high)) * 0.5, keepdims)


@composed(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    """`np.median`: the middle one; of an even number both middle ones, each with half the gradient.

    Shapes: the axes in `axis` go. Gradient: ``g`` at the middle one, ``g / 2`` at each of two.

    >>> import microgradnd as mg
    >>> mg.grad(mg.median)(np.array([4.0, 1.0, 3.0, 2.0]))
    array([0. , 0. , 0.5, 0.5])
    """
    return _median("np.median", False, a, axis, out, overwrite_input, keepdims)


@composed(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = _NO) -> Any:
    """`np.nanmedian`: the median of what is not NaN.

    Shapes and gradient: those of `median`, with gradient 0 at a NaN.

    >>> import microgradnd as mg
    >>> mg.grad(mg.nanmedian)(np.array([1.0, np.nan, 5.0, 2.0]))
    array([0., 0., 0., 1.])
    """
    return _median("np.nanmedian", True, a, axis, out, overwrite_input, keepdims)


def _quantile(
    name: str,
    skip_nan: bool,
    a: Any,
    q: Any,
    axis: Any,
    out: Any,
    overwrite_input: bool,
    method: str,
    keepdims: Any,
    weights: Any,
) -> Any:
    refuse(name, out=out, overwrite_input=overwrite_input, weights=weights)
    if method != "linear":
        raise TypeError(
            f"{name} of a tensor knows method='linear' only, not {method!r}: sort, and pick the elements you want"
        )
    if np.any((values(q) < 0) | (values(q) > 1)):
        raise ValueError(f"{name}: quantiles lie between 0 and 1, percentiles between 0 and 100")
    ranked = Sorted(a, axis, skip_nan)
    parts = [ranked.restore(_between(ranked, part), keepdims) for part in np.reshape(q, -1)]
    return parts[0] if np.ndim(q) == 0 else np.reshape(np.stack(parts), np.shape(q) + parts[0].shape)


def _between(ranked: Sorted, q: Any) -> Any:
    place = q * (ranked.count - 1)
    rank = np.floor(values(place)).astype(int)
    low, high = ranked.pick(rank), ranked.pick(np.minimum(rank + 1, ranked.count - 1))  # behind the last may be NaN
    with np.errstate(invalid="ignore"):
        gap = high - low
    gap = np.where((values(place) == rank) & ~np.isfinite(gap), 0.0, gap)  # nothing of it is taken
    return low + np.astype(place - rank, low.dtype) * gap


@composed(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """`np.quantile`, linear between the two nearest elements; differentiable in `q` too.

    Shapes: that of `q`, then the axes left of `a`. Gradient: ``g`` shared by the two nearest elements as they are
    weighted; for `q` their difference times ``n - 1``.

    Raises
    ------
    ValueError
        If a quantile is out of range.
    TypeError
        For a `method` other than "linear", or with `weights`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.quantile(x, 0.25))(np.array([1.0, 2.0, 3.0]))
    array([0.5, 0.5, 0. ])
    """
    return _quantile("np.quantile", False, a, _real(q), axis, out, overwrite_input, method, keepdims, weights)


@composed(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """`np.percentile`, linear between the two nearest elements; differentiable in `q` too.

    Shapes and gradient: those of `quantile` of ``q / 100``.

    Raises
    ------
    ValueError
        If a quantile is out of range.
    TypeError
        For a `method` other than "linear", or with `weights`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.percentile(x, 25))(np.array([1.0, 2.0, 3.0]))
    array([0.5, 0.5, 0. ])
    """
    return _quantile("np.percentile", False, a, _real(q) / 100, axis, out, overwrite_input, method, keepdims, weights)


@composed(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = _NO,
    *,
    weights: Any = None,
) -> Any:
    """`np.nanquantile`: the quantile of what is not NaN.

    Shapes and gradient: those of `quantile`, with gradient 0 at a NaN.

    Raises
    ------
    ValueError
        If a quantile is out of range.
    TypeError
        For a `method` other than "linear", or with `weights`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.nanquantile(x, 0.25))(np.array([1.0, np.nan, 2.0, 3.0]))
    array([0.5, 0. , 0.5, 0. ])
    """
    return _quantile("np.nanquantile", True, a, _real(q), axis, out, overwrite_input, method, keepdims, weights)


@composed(np.nanpercentile)
def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = _NO,
    *,
    weights: Any = None,
) -> Any:
    """`np.nanpercentile`: the percentile of what is not NaN.

    Shapes and gradient: those of `percentile`, with gradient 0 at a NaN.

    Raises
    ------
    ValueError
        If a quantile is out of range.
    TypeError
        For a `method` other than "linear", or with `weights`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.nanpercentile(x, 25))(np.array([1.0, np.nan, 2.0, 3.0]))
    array([0.5, 0. , 0.5, 0. ])
    """
    return _quantile("np.nanpercentile", True, a, _real(q) / 100, axis, out, overwrite_input, method, keepdims, weights)


def _real(q: Any) -> Any:
    return q if any_tracked(q) else np.asarray(values(q), float)


# -- correlations ------------------------------------------------------------------------------


@composed(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """`np.cov`: the covariance matrix of the variables in the rows, or in the columns.

    Shapes: ``(k, n)`` to ``(k, k)``, for one variable a number. Gradient: ``(g + g.T) @ (m - mean) / (n - ddof)``.

    Raises
    ------
    TypeError
        With `fweights` or `aweights`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(mg.cov)(np.array([1.0, 3.0]))
    array([-2.,  2.])
    """
    refuse("np.cov", fweights=fweights, aweights=aweights)
    x = _variables(cast(m, dtype, "np.cov"), rowvar)
    if y is not None:
        x = np.concatenate([x, _variables(cast(y, dtype, "np.cov"), rowvar)])
    free = max(x.shape[1] - ((0 if bias else 1) if ddof is None else ddof), 0)
    d = x - np.mean(x, axis=1, keepdims=True)
    c = d @ d.T / free
    return c[0, 0] if c.size == 1 else c


def _variables(x: Any, rowvar: bool) -> Any:
    x = np.reshape(x, (1, -1)) if np.ndim(x) < 2 else x
    return np.transpose(x) if not rowvar and len(x) != 1 else x


@composed(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """`np.corrcoef`: the covariance matrix divided by both standard deviations.

    Shapes: ``(k, n)`` to ``(k, k)``. Gradient: through `cov` and the quotient; 0 where a coefficient is cut to 1.

    >>> import microgradnd as mg
    >>> mg.corrcoef(mg.tensor([[1.0, 2.0], [3.0, 5.0]])).data.round(6)
    array([[1., 1.],
           [1., 1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    d = np.sqrt(np.diagonal(c))
    return np.clip(c / d[:, None] / d[None, :], -1, 1)


# -- interpolation and grids -------------------------------------------------------------------


@composed(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """`np.interp`: piecewise linear, differentiable in all of `x`, `xp` and `fp`.

    Shapes: that of `x`; `xp` and `fp` are ``(n,)``. Gradient: ``g`` times the slope of the segment for `x`, shared by
    the two heights for `fp`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda fp: mg.interp(0.25, [0.0, 1.0], fp))(np.array([0.0, 4.0]))
    array([0.75, 0.25])
    """
    for given in (x, xp, fp):
        refuse_mask(given, "np.interp")
    np.interp(*values((x, xp, fp, left, right, period)))  # NumPy's errors
    x, xp, fp = (v if any_tracked(v) else np.asarray(values(v), float) for v in (x, xp, fp))
    if period is not None:
        order = np.argsort(values(xp % period), kind="stable")
        x, xp, fp = x % period, (xp % period)[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    last = len(xp) - 1
    i = np.clip(np.searchsorted(values(xp), values(x), side="right") - 1, 0, max(last - 1, 0))
    j = np.minimum(i + 1, last)
    run = xp[j] - xp[i]
    step = values(run) == 0  # a table of one point, or one that ends in a jump
    y = np.where(step, fp[j], fp[i] + (x - xp[i]) * ((fp[j] - fp[i]) / np.where(step, 1.0, run)))
    y = np.where(values(x) < values(xp[0]), fp[0] if left is None else left, y)
    return np.where(values(x) > values(xp[-1]), fp[-1] if right is None else right, y)


@composed(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`np.linspace`: evenly spaced from `start` to `stop`, differentiable in both.

    Shapes: an axis of length `num` is put in at `axis`. Gradient: ``sum(g * (1 - t))`` for `start`, ``sum(g * t)`` for
    `stop`, t from 0 to 1.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.linspace(a, b, 3).sum(), argnums=(0, 1))(0.0, 1.0)
    (array(1.5), array(1.5))
    """
    refuse("np.linspace", device=device)
    width = stop - start
    kind = np.linspace(values(start), values(stop), 0).dtype
    share = np.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=kind).reshape((-1,) + (1,) * np.ndim(width))
    y = np.moveaxis(np.where(share == 1, stop, start + width * share), 0, axis)  # the end itself, not rounded
    y = cast(y, dtype, "np.linspace")
    return (y, width / (num - 1 if endpoint else num)) if retstep else y


@composed(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """`np.logspace`: powers of `base`, evenly spaced in the exponent.

    Shapes: those of `linspace`. Gradient: that of `linspace` times ``y * log(base)``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.logspace(a, 1.0, 3, base=np.e)[0])(0.0)
    array(1.)
    """
    exponents = np.linspace(start, stop, num, endpoint, axis=axis)
    return cast(np.power(np.expand_dims(base, axis) if np.ndim(base) else base, exponents), dtype, "np.logspace")


@composed(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """`np.geomspace`: from `start` to `stop` by equal factors, of one sign.

    Shapes: those of `linspace`. Gradient: through the logarithm of both ends.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.geomspace(a, 9.0, 3)[1])(1.0)
    array(1.5)
    """
    kind = np.geomspace(values(start), values(stop), 0, dtype=dtype).dtype
    start, stop = (cast(end, kind, "np.geomspace") for end in (start, stop))
    sign = np.sign(values(start))
    exponents = np.linspace(np.log(start * sign), np.log(stop * sign), num, endpoint, axis=axis)
    return cast(sign * np.exp(exponents), kind, "np.geomspace")
