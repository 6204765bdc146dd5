"""Arithmetic, comparisons that pick (maximum, where, clip), and powers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Op, sample
from ..dispatch import cast, composed, implements, refuse
from ._samples import apart, calls, pairs, pairs_apart, within
from .slopes import Binary, direct, over, scale

__all__ = [
    "abs",
    "absolute",
    "add",
    "cbrt",
    "clip",
    "copysign",
    "divide",
    "fabs",
    "float_power",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "positive",
    "pow",
    "power",
    "reciprocal",
    "remainder",
    "sqrt",
    "square",
    "subtract",
    "true_divide",
    "where",
]

add: Op = Op(
    np.add,
    lambda g, y, a, b: g,
    lambda g, y, a, b: g,
    formula="{0} + {1}",
    elementwise=True,
    samples=pairs(-2, 2),
)
subtract: Op = Op(
    np.subtract,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    formula="{0} - {1}",
    elementwise=True,
    samples=pairs(-2, 2),
)
multiply: Op = Op(
    np.multiply,
    lambda g, y, a, b: scale(g, b),
    lambda g, y, a, b: scale(g, a),
    formula="{0} * {1}",
    elementwise=True,
    samples=pairs(-2, 2),
)
divide: Op = Op(
    np.divide,
    lambda g, y, a, b: over(g, b),
    lambda g, y, a, b: -over(scale(g, y), b),
    formula="{0} / {1}",
    elementwise=True,
    samples=pairs(-2, 2, 0.5, 2),
)
negative: Op = Op(np.negative, lambda g, y, x: -g, formula="-{0}", elementwise=True, samples=within(-2, 2))
positive: Op = Op(np.positive, lambda g, y, x: g, formula="+{0}", elementwise=True, samples=within(-2, 2))


def _power_slope(x: Any, p: Any) -> Any:
    if p.__class__ in (int, float) and p >= 1 and p % 1 == 0:
        return p * x ** (p - 1)  # defined everywhere
    # A number less 1 stays Python's, and float32 float32; an array may hold unsigned integers.
    less = np.subtract(p, 1, dtype=np.result_type(x, p, 1.0)) if isinstance(p, np.ndarray) else p - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = p * np.power(x, less)
    return (
        np.where(np.equal(p, 0), np.zeros((), np.result_type(slope)), slope)
        if np.count_nonzero(p) < np.size(p)
        else slope
    )


def _log_of_base(x: Any) -> Any:
    """The logarithm that a power multiplies its slope by; 0 for the base 0, whose powers are flat."""
    if isinstance(x, int | float):  # a number stays Python's, and float32 float32
        return math.log(x) if x > 0 else 0.0 if x == 0 else math.nan
    return np.log(np.where(x == 0, 1, x))


power_slope_op: Op = Op(
    _power_slope,
    lambda g, y, x, p: scale(g, scale(p, power_slope(x, p - 1))),  # of exponent 0: 0, though the next slope is infinite
    lambda g, y, x, p: scale(g, power(x, p - 1) * (1 + p * _log_of_base(x))),
    name="power_slope",
    formula="{1} * {0}**({1} - 1)",
    elementwise=True,
    samples=pairs(0.5, 2, 1.5, 3),
    domain=(0, np.inf),
)
power_slope: Binary = direct(power_slope_op)
power: Op = Op(
    np.power,
    lambda g, y, x, p: scale(g, power_slope(x, p)),
    lambda g, y, x, p: scale(g, y * _log_of_base(x)),
    formula="{0}**{1}",
    elementwise=True,
    samples=pairs(0.5, 2, -2, 3),
    domain=(0, np.inf),
)
square: Op = Op(np.square, lambda g, y, x: scale(g, 2 * x), formula="{0}**2", elementwise=True, samples=within(-2, 2))
cbrt: Op = Op(np.cbrt, lambda g, y, x: over(g, 3 * np.square(y)), elementwise=True, samples=within(0.5, 3))
sqrt: Op = Op(np.sqrt, lambda g, y, x: over(g, 2 * y), elementwise=True, samples=within(0.5, 3), domain=(0, np.inf))
reciprocal: Op = Op(
    np.reciprocal,
    lambda g, y, x: -scale(g, np.square(y)),
    formula="1 / {0}",
    elementwise=True,
    samples=within(0.5, 2),
)
absolute: Op = Op(
    np.absolute,
    lambda g, y, x: scale(g, np.sign(x)),
    formula="|{0}|",
    elementwise=True,
    samples=calls(lambda rng: sample(apart(rng, 2, 3)), lambda rng: sample(apart(rng, 5))),
)
copysign: Op = Op(
    np.copysign,
    lambda g, y, x, sign: scale(g, np.sign(x) * np.copysign(np.sign(x), sign)),
    lambda g, y, x, sign: np.zeros_like(g),
    elementwise=True,
    samples=pairs_apart,
)
heaviside: Op = Op(
    np.heaviside,
    lambda g, y, x, at_zero: np.zeros_like(g),
    lambda g, y, x, at_zero: np.where(x == 0, g, 0.0),
    elementwise=True,
    samples=calls(
        lambda rng: sample(apart(rng, 2, 3), rng.normal(size=3)), lambda rng: sample(0.0, rng.normal(size=3))
    ),
)
remainder: Op = Op(
    np.remainder,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -scale(g, np.floor_divide(a, b)),
    formula="{0} mod {1}",
    elementwise=True,
    samples=calls(
        lambda rng: sample(rng.uniform(2.2, 2.4, (2, 3)), rng.uniform(0.9, 1, 3)),
        lambda rng: sample(rng.uniform(-2.4, -2.2, 3), rng.uniform(0.9, 1, (2, 1))),
    ),
)
# a - y is a whole number of times b, and dividing it tells how often better than trunc(a / b) could.
fmod: Op = Op(
    np.fmod,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -scale(g, np.rint((a - y) / b)),
    elementwise=True,
    samples=calls(lambda rng: sample(rng.uniform(-2.4, -2.2, (2, 3)), rng.uniform(0.9, 1, 3))),
)

maximum: Op = Op(
    np.maximum,
    lambda g, y, a, b: np.where(a > b, g, np.where(a == b, 0.5 * g, 0.0)),
    lambda g, y, a, b: np.where(b > a, g, np.where(a == b, 0.5 * g, 0.0)),
    elementwise=True,
    samples=pairs_apart,
)
minimum: Op = Op(
    np.minimum,
    lambda g, y, a, b: np.where(a < b, g, np.where(a == b, 0.5 * g, 0.0)),
    lambda g, y, a, b: np.where(b < a, g, np.where(a == b, 0.5 * g, 0.0)),
    elementwise=True,
    samples=pairs_apart,
)
fmax: Op = Op(
    np.fmax,
    lambda g, y, a, b: np.where((a > b) | (b != b), g, np.where(a == b, 0.5 * g, 0.0)),
    lambda g, y, a, b: np.where((b > a) | ((a != a) & (b == b)), g, np.where(a == b, 0.5 * g, 0.0)),
    elementwise=True,
    samples=pairs_apart,
)
fmin: Op = Op(
    np.fmin,
    lambda g, y, a, b: np.where((a < b) | (b != b), g, np.where(a == b, 0.5 * g, 0.0)),
    lambda g, y, a, b: np.where((b < a) | ((a != a) & (b == b)), g, np.where(a == b, 0.5 * g, 0.0)),
    elementwise=True,
    samples=pairs_apart,
)


def _difference(a: Any, b: Any) -> Any:
    """A - b, where inf - inf counts as 0: two equal infinities share as two equal numbers do."""
    a, b = (float(x) if x.__class__ is int else x for x in (a, b))  # NumPy makes an object of a large integer
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(a) & (a == b), 0.0, a - b)


logaddexp: Op = Op(
    np.logaddexp,
    lambda g, y, a, b: scale(g, np.exp(-np.logaddexp(0.0, _difference(b, a)))),
    lambda g, y, a, b: scale(g, np.exp(-np.logaddexp(0.0, _difference(a, b)))),
    formula="log(exp({0}) + exp({1}))",
    elementwise=True,
    samples=pairs(-2, 2),
)
logaddexp2: Op = Op(
    np.logaddexp2,
    lambda g, y, a, b: scale(g, np.exp2(-np.logaddexp2(0.0, _difference(b, a)))),
    lambda g, y, a, b: scale(g, np.exp2(-np.logaddexp2(0.0, _difference(a, b)))),
    formula="log2(2**{0} + 2**{1})",
    elementwise=True,
    samples=pairs(-2, 2),
)
clip_op: Op = Op(
    np.clip,
    lambda g, y, x, low, high: np.where((low <= x) & (x <= high), g, 0.0),
    lambda g, y, x, low, high: np.where((x < low) & (low <= high), g, 0.0),
    lambda g, y, x, low, high: np.where((x > high) | (low > high), g, 0.0),
    name="clip",
    elementwise=True,
    samples=calls(
        lambda rng: sample(apart(rng, 2, 3), -0.5, 0.5),
        lambda rng: sample(apart(rng, 2, 3), np.array([-0.52, -0.83, 0.49]), np.array([[0.48], [0.81]])),
    ),
)
choose_where: Op = Op(
    np.where,
    None,
    lambda g, y, condition, a, b: np.where(condition, g, 0.0),
    lambda g, y, condition, a, b: np.where(condition, 0.0, g),
    name="where",
    elementwise=True,
    samples=calls(
        lambda rng: sample(rng.random((2, 3)) > 0.5, rng.normal(size=(2, 3)), rng.normal(size=3)),
        lambda rng: sample(rng.random((2, 1)) > 0.5, rng.normal(size=(1, 3)), 0.5),
    ),
)


@implements(np.where)
def where(condition: Any, *choices: Any) -> Any:
    """`np.where`: with two choices a differentiable pick, without any the indices.

    Shapes: condition and choices broadcast. Gradient: ``g`` for the choice that was taken, 0 for the other, even
    where the slope of what was not taken is infinite.

    Raises
    ------
    ValueError
        If one choice is given without the other.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0).sum())(np.array([0.0, 4.0]))
    array([0.  , 0.25])
    """
    if not choices:
        return np.nonzero(condition)
    if len(choices) != 2:
        raise ValueError("where takes a condition alone, or a condition and both x and y")
    return choose_where(condition, *choices)


@composed(np.clip)
def clip(
    a: Any,
    a_min: Any = np._NoValue,
    a_max: Any = np._NoValue,
    out: Any = None,
    *,
    min: Any = np._NoValue,
    max: Any = np._NoValue,
    **kwargs: Any,
) -> Any:
    """`np.clip`: kept between two bounds, either of which may be None; slope 1 at the bounds themselves.

    Shapes: `a` and the bounds broadcast. Gradient: ``g`` for `a` inside, for the bound that cut it outside.

    Raises
    ------
    ValueError
        If the bounds are given under both pairs of names.
    TypeError
        If only one of `a_min` and `a_max` is given: None is no bound.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    >>> mg.clip(x, 0, 2).sum().backward()
    >>> x.grad
    array([0., 1., 1.])
    """
    refuse("np.clip", out=out, **kwargs)
    if a_min is a_max is np._NoValue:
        a_min, a_max = (None if bound is np._NoValue else bound for bound in (min, max))
    elif min is not np._NoValue or max is not np._NoValue:
        raise ValueError("np.clip takes its bounds as a_min and a_max or as min and max, not both")
    elif a_min is np._NoValue or a_max is np._NoValue:
        raise TypeError("np.clip takes both a_min and a_max; None is no bound")
    return clip_op(a, -np.inf if a_min is None else a_min, np.inf if a_max is None else a_max)


@composed(np.float_power)
def float_power(x1: Any, x2: Any) -> Any:
    """`np.float_power`: `np.power` in float64.

    Shapes: `x1` and `x2` broadcast. Gradient: that of `power`, in the dtype that each argument has.

    >>> import microgradnd as mg
    >>> mg.grad(mg.float_power)(3.0, 2)
    array(6.)
    """
    return power(cast(x1, np.float64, "np.float_power"), cast(x2, np.float64, "np.float_power"))


@composed(np.fabs)
def fabs(x: Any) -> Any:
    """`np.fabs`: the absolute value, of integers too as a floating-point number.

    Shapes: that of `x`. Gradient: ``g * sign(x)``, 0 at 0.

    >>> import microgradnd as mg
    >>> mg.grad(mg.fabs)(-2.0)
    array(-1.)
    """
    return absolute(x)


abs = absolute
pow = power
true_divide = divide
mod = remainder
composed(np.conjugate)(positive)
