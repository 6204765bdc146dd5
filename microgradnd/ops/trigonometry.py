"""The circular and hyperbolic functions with their inverses, angles and the lengths they belong to.

Slopes: Abramowitz & Stegun, Handbook of Mathematical Functions, 4.3-4.6. Where a textbook form cancels
or overflows it is written another way: 1 + x**2 as a squared `hypot`, 1 - x**2 as (1 - x)(1 + x).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Op
from ..dispatch import composed, implements
from ._samples import pairs, within
from .slopes import over, scale

__all__ = [
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "hypot",
    "rad2deg",
    "radians",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
    "unwrap",
]

sin: Op = Op(np.sin, lambda g, y, x: scale(g, np.cos(x)), elementwise=True, samples=within(-3, 3))
cos: Op = Op(np.cos, lambda g, y, x: -scale(g, np.sin(x)), elementwise=True, samples=within(-3, 3))
tan: Op = Op(np.tan, lambda g, y, x: scale(g, 1 + np.square(y)), elementwise=True, samples=within(-1, 1))
arcsin: Op = Op(
    np.arcsin,
    lambda g, y, x: over(g, np.sqrt((1 - x) * (1 + x))),
    elementwise=True,
    samples=within(-0.8, 0.8),
    domain=(-1, 1),
)
arccos: Op = Op(
    np.arccos,
    lambda g, y, x: -over(g, np.sqrt((1 - x) * (1 + x))),
    elementwise=True,
    samples=within(-0.8, 0.8),
    domain=(-1, 1),
)


def _arctan_vjp(g: Any, y: Any, x: Any) -> Any:
    h = np.hypot(1.0, x)
    return over(over(g, h), h)


arctan: Op = Op(np.arctan, _arctan_vjp, elementwise=True, samples=within(-3, 3))

sinh: Op = Op(np.sinh, lambda g, y, x: scale(g, np.cosh(x)), elementwise=True, samples=within(-2, 2))
cosh: Op = Op(np.cosh, lambda g, y, x: scale(g, np.sinh(x)), elementwise=True, samples=within(-2, 2))
# (1 - y)(1 + y) keeps the digits that 1 - y**2 cancels where tanh saturates; NumPy takes floats sooner than ints.
tanh: Op = Op(np.tanh, lambda g, y, x: g * ((1.0 - y) * (1.0 + y)), elementwise=True, samples=within(-2, 2))
arcsinh: Op = Op(np.arcsinh, lambda g, y, x: over(g, np.hypot(1.0, x)), elementwise=True, samples=within(-3, 3))
arccosh: Op = Op(
    np.arccosh,
    lambda g, y, x: over(g, np.sqrt(x - 1) * np.sqrt(x + 1)),
    elementwise=True,
    samples=within(1.2, 3),
    domain=(1, np.inf),
)
arctanh: Op = Op(
    np.arctanh,
    lambda g, y, x: over(g, (1 - x) * (1 + x)),
    elementwise=True,
    samples=within(-0.8, 0.8),
    domain=(-1, 1),
)

# At the origin, where neither has a derivative, both give 0: the least of the subgradients, as for a norm.
hypot: Op = Op(
    np.hypot,
    lambda g, y, a, b: scale(g, over(a, y)),
    lambda g, y, a, b: scale(g, over(b, y)),
    formula="hypot({0}, {1})",
    elementwise=True,
    samples=pairs(-2, 2, 0.5, 2),
)


def _arctan2_share(g: Any, a: Any, b: Any) -> Any:
    h = np.hypot(a, b)
    return over(scale(g, over(a, h)), h)


arctan2: Op = Op(
    np.arctan2,
    lambda g, y, a, b: _arctan2_share(g, b, a),
    lambda g, y, a, b: -_arctan2_share(g, a, b),
    formula="arctan2({0}, {1})",
    elementwise=True,
    samples=pairs(-2, 2, 0.5, 2),
)

rad2deg: Op = Op(np.rad2deg, lambda g, y, x: g * (180 / math.pi), elementwise=True, samples=within(-3, 3))
deg2rad: Op = Op(np.deg2rad, lambda g, y, x: g * (math.pi / 180), elementwise=True, samples=within(-180, 180))
degrees: Op = implements(np.degrees)(rad2deg)
radians: Op = implements(np.radians)(deg2rad)

# d/dt sin(t)/t = sum over k of (-1)**k 2k t**(2k - 1) / (2k + 1)!, here by powers of t**2.
_SINC_SERIES = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(10, 0, -1)]


def _sinc_vjp(g: Any, y: Any, x: Any) -> Any:
    """(cos(pi x) - sinc(x)) / x, which cancels near 0, where the series takes over."""
    near = np.abs(x) < 0.3
    t = np.where(near, math.pi * x, 0.0)
    series: Any = 0.0
    for coefficient in _SINC_SERIES:
        series = series * np.square(t) + coefficient
    far = np.where(near, 1.0, x)
    return scale(g, np.where(near, math.pi * t * series, (np.cos(math.pi * far) - y) / far))


sinc_op: Op = Op(np.sinc, _sinc_vjp, name="sinc", elementwise=True, samples=within(-2, 2))


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """`np.sinc`: sin(pi x) / (pi x), with derivative 0 at 0.

    Shapes: that of `x`. Gradient: ``g * (cos(pi x) - sinc(x)) / x``, near 0 by its power series, which doesn't cancel.

    >>> import microgradnd as mg
    >>> mg.grad(mg.sinc)(1.0)
    array(-1.)
    """
    return sinc_op(x)


@composed(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """`np.angle` of real numbers: 0 or pi, flat.

    Shapes: that of `z`; radians, with `deg` degrees. Gradient: 0.

    >>> import microgradnd as mg
    >>> mg.angle(mg.tensor([2.0, -2.0])).data
    array([0.        , 3.14159265])
    """
    turned = np.arctan2(0.0, z)
    return np.rad2deg(turned) if deg else turned


@composed(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """`np.unwrap`: whole periods added, which are constants to differentiation.

    Shapes: that of `p`; radians, unless `period` says otherwise. Gradient: ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.unwrap(p)[1])(np.array([0.0, 6.0]))
    array([0., 1.])
    """
    plain = p.detach().numpy()
    return p + (np.unwrap(plain, discont, axis, period=period) - plain)
