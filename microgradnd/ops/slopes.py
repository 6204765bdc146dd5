"""Products and quotients that stay 0 where the cotangent is 0, however steep the slope.

A rule of unbounded slope (sqrt, log, divide, ...) multiplies its cotangent by a number that may be
infinite. Where the cotangent is exactly 0 nothing flows, so the result is 0 and not 0 * inf = nan:
``np.where(x > 0, np.sqrt(x), 0)`` has gradient 0 at 0. Both ops are linear in the cotangent
and differentiable to any order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Op
from ._samples import pairs


def _keep_zero(a: Any, y: Any) -> Any:
    lost = np.isnan(y)
    return np.where(lost & np.equal(a, 0), np.zeros((), np.result_type(y)), y) if lost.any() else y


def _scale(a: Any, slope: Any) -> Any:
    # A dot product is the cheapest look at all of them; if it overflows, the closer look follows.
    if math.isfinite(slope if slope.__class__ is float else np.vdot(slope, slope)):
        return a * slope
    with np.errstate(invalid="ignore"):
        return _keep_zero(a, np.multiply(a, slope))


def _over(a: Any, d: Any) -> Any:
    if np.count_nonzero(d) == np.size(d):
        return _keep_zero(a, np.divide(a, d))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _keep_zero(a, np.divide(a, d))


scale: Op = Op(
    _scale,
    lambda g, y, a, slope: scale(g, slope),
    lambda g, y, a, slope: scale(g, a),
    name="scale",
    formula="{0} * {1}",
    elementwise=True,
    samples=pairs(-2, 2),
    reference=np.multiply,
)
over: Op = Op(
    _over,
    lambda g, y, a, d: over(g, d),
    lambda g, y, a, d: -over(scale(g, y), d),
    name="over",
    formula="{0} / {1}",
    elementwise=True,
    samples=pairs(-2, 2, 0.5, 2),
    reference=np.divide,
)
