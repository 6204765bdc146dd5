"""Arithmetic, comparisons that pick (maximum, where, clip), and powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Op, sample
from ..dispatch import implements
from ._samples import apart, calls, pairs, pairs_apart, within
from .slopes import over, scale

__all__ = [
    "absolute",
    "add",
    "divide",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "positive",
    "power",
    "reciprocal",
    "sqrt",
    "square",
    "subtract",
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
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
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
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = p * np.power(
            x, np.subtract(p, 1, dtype=np.result_type(x, p, 1.0) if isinstance(p, np.ndarray) else None)
        )
    return (
        np.where(np.equal(p, 0), np.zeros((), np.result_type(slope)), slope)
        if np.count_nonzero(p) < np.size(p)
        else slope
    )


power_slope: Op = Op(
    _power_slope,
    lambda g, y, x, p: scale(g, p * power_slope(x, p - 1)),
    lambda g, y, x, p: scale(g, power(x, p - 1) * (1 + p * np.log(np.where(x == 0, 1, x)))),
    name="power_slope",
    formula="{1} * {0}**({1} - 1)",
    elementwise=True,
    samples=pairs(0.5, 2, 1.5, 3),
    domain=(0, np.inf),
)
power: Op = Op(
    np.power,
    lambda g, y, x, p: scale(g, power_slope(x, p)),
    lambda g, y, x, p: g * y * np.log(np.where(x == 0, 1, x)),
    formula="{0}**{1}",
    elementwise=True,
    samples=pairs(0.5, 2, -2, 3),
    domain=(0, np.inf),
)
square: Op = Op(np.square, lambda g, y, x: g * (2 * x), formula="{0}**2", elementwise=True, samples=within(-2, 2))
sqrt: Op = Op(np.sqrt, lambda g, y, x: over(g, 2 * y), elementwise=True, samples=within(0.5, 3), domain=(0, np.inf))
reciprocal: Op = Op(
    np.reciprocal,
    lambda g, y, x: -over(scale(g, y), x),
    formula="1 / {0}",
    elementwise=True,
    samples=within(0.5, 2),
)
absolute: Op = Op(
    np.absolute,
    lambda g, y, x: g * np.sign(x),
    formula="|{0}|",
    elementwise=True,
    samples=calls(lambda rng: sample(apart(rng, 2, 3)), lambda rng: sample(apart(rng, 5))),
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

    >>> import microgradnd as mg
    >>> x = mg.tensor([-1.0, 4.0], requires_grad=True)
    >>> np.where(x > 0, np.sqrt(np.maximum(x, 0)), 0.0).data
    array([0., 2.])
    """
    if not choices:
        return np.nonzero(condition)
    if len(choices) != 2:
        raise ValueError("where takes a condition alone, or a condition and both x and y")
    return choose_where(condition, *choices)
