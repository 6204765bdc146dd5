"""Products and quotients that stay 0 where the cotangent is 0, however steep the slope.

A rule of unbounded slope (sqrt, log, divide, ...) multiplies its cotangent by a number that may be
infinite. Where the cotangent is exactly 0 nothing flows, so the result is 0 and not 0 * inf = nan:
``np.where(x > 0, np.sqrt(x), 0)`` has gradient 0 at 0. All are linear in the cotangent and
differentiable to any order: where a rule multiplies one cotangent by another, either may be the 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Node, Op
from ._samples import pairs

_ndarray = np.ndarray


Binary = Callable[[Any, Any], Any]


def direct(op: Op) -> Binary:
    """The op, for a rule to call: on arrays, where nothing is recorded, it is its forward and no more."""
    forward = op.forward

    @functools.wraps(forward)
    def call(a: Any, b: Any) -> Any:
        if a.__class__ is _ndarray is b.__class__:
            return forward(a, b)
        return op(a, b) if isinstance(a, Node) or isinstance(b, Node) else forward(a, b)

    return call


def _bounded(x: Any) -> bool:
    """Whether no element is infinite or nan; a dot product is the cheapest look at all of them."""
    if x.__class__ is not _ndarray and isinstance(x, float | int):
        return math.isfinite(x)
    if x.size == 1:
        return math.isfinite(x.item())
    return math.isfinite(np.vdot(x, x))


def _keep_zero(a: Any, y: Any) -> Any:
    return np.where(np.isnan(y) & np.equal(a, 0), np.zeros((), np.result_type(y)), y)


def _scale(a: Any, slope: Any) -> Any:
    if _bounded(slope):
        return a * slope
    with np.errstate(invalid="ignore"):  # or squares overflowed
        return _keep_zero(a, np.multiply(a, slope))


def _both(a: Any, b: Any) -> Any:
    if _bounded(a) and _bounded(b):
        return a * b
    with np.errstate(invalid="ignore"):
        return _keep_zero(a, _keep_zero(b, np.multiply(a, b)))


def _over(a: Any, d: Any) -> Any:
    # To count the zeros of a large array takes longer than to silence what they give rise to.
    if np.size(d) < 4096 and np.count_nonzero(d) == np.size(d):
        y = a / d
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.divide(a, d)
    return y if _bounded(y) else _keep_zero(a, y)


scale_op: Op = Op(
    _scale,
    lambda g, y, a, slope: scale(g, slope),
    lambda g, y, a, slope: both(g, a),
    name="scale",
    formula="{0} * {1}",
    elementwise=True,
    samples=pairs(-2, 2),
    reference=np.multiply,
)
both_op: Op = Op(
    _both,
    lambda g, y, a, b: both(g, b),
    lambda g, y, a, b: both(g, a),
    name="both",
    formula="{0} * {1}",
    elementwise=True,
    samples=pairs(-2, 2),
    reference=np.multiply,
)
over_op: Op = Op(
    _over,
    lambda g, y, a, d: over(g, d),
    lambda g, y, a, d: -over(both(g, y), d),
    name="over",
    formula="{0} / {1}",
    elementwise=True,
    samples=pairs(-2, 2, 0.5, 2),
    reference=np.divide,
)
scale: Binary = direct(scale_op)
both: Binary = direct(both_op)
over: Binary = direct(over_op)
