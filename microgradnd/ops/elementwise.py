"""Functions of one number, applied to every element: exponentials, logarithms, and the flat ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import Op, sample
from ..dispatch import composed, implements, refuse
from ._samples import calls, within
from .slopes import over, scale

__all__ = [
    "ceil",
    "divmod",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "floor_divide",
    "frexp",
    "imag",
    "ldexp",
    "log",
    "log1p",
    "log2",
    "log10",
    "modf",
    "nan_to_num",
    "real",
    "real_if_close",
    "rint",
    "round",
    "sign",
    "trunc",
]

_LN2, _LN10 = math.log(2), math.log(10)

exp: Op = Op(np.exp, lambda g, y, x: scale(g, y), elementwise=True, samples=within(-2, 2))
exp2: Op = Op(np.exp2, lambda g, y, x: scale(g, y) * _LN2, elementwise=True, samples=within(-2, 2))
expm1: Op = Op(np.expm1, lambda g, y, x: scale(g, np.exp(x)), elementwise=True, samples=within(-2, 2))
log: Op = Op(np.log, lambda g, y, x: over(g, x), elementwise=True, samples=within(0.5, 3), domain=(0, np.inf))
log2: Op = Op(np.log2, lambda g, y, x: over(g, x) / _LN2, elementwise=True, samples=within(0.5, 3), domain=(0, np.inf))
log10: Op = Op(
    np.log10, lambda g, y, x: over(g, x) / _LN10, elementwise=True, samples=within(0.5, 3), domain=(0, np.inf)
)
log1p: Op = Op(np.log1p, lambda g, y, x: over(g, 1 + x), elementwise=True, samples=within(-0.5, 3), domain=(-1, np.inf))
ldexp: Op = Op(
    np.ldexp,
    lambda g, y, x, exponent: np.ldexp(g, exponent),
    None,
    formula="{0} * 2**{1}",
    elementwise=True,
    samples=calls(lambda rng: sample(rng.normal(size=(2, 3)), np.array([-1, 0, 3]))),
)


def _flat(g: Any, y: Any, *inputs: Any, **options: Any) -> Any:
    """A step function's slope: 0, at the steps too."""
    return np.zeros_like(g)


sign: Op = Op(np.sign, _flat, elementwise=True, samples=within(0.2, 2))
floor: Op = Op(np.floor, _flat, formula="⌊{0}⌋", elementwise=True, samples=within(0.2, 0.8))
ceil: Op = Op(np.ceil, _flat, formula="⌈{0}⌉", elementwise=True, samples=within(0.2, 0.8))
trunc: Op = Op(np.trunc, _flat, elementwise=True, samples=within(0.2, 0.8))
rint: Op = Op(np.rint, _flat, elementwise=True, samples=within(0.1, 0.4))
round_op: Op = Op(
    np.round,
    _flat,
    name="round",
    elementwise=True,
    samples=calls(
        lambda rng: sample(rng.uniform(0.1, 0.4, (2, 3))), lambda rng: sample(rng.uniform(0.1, 0.4, 3) / 10, decimals=1)
    ),
)
floor_divide: Op = Op(
    np.floor_divide,
    _flat,
    _flat,
    formula="⌊{0} / {1}⌋",
    elementwise=True,
    samples=calls(lambda rng: sample(rng.uniform(2.2, 2.4, (2, 3)), rng.uniform(0.9, 1, 3))),
)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """`np.round`: to the nearest, halves to even; flat, so the gradient is 0.

    Shapes: that of `a`. Gradient: 0, also at the steps.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.round(x) * x)(2.6)
    array(3.)
    """
    refuse("np.round", out=out)
    return round_op(a, decimals=decimals) if decimals else round_op(a)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """`np.fix`: rounded towards zero; flat, so the gradient is 0.

    Shapes: that of `x`. Gradient: 0, also at the steps.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.fix(x) * x)(-2.6)
    array(-2.)
    """
    refuse("np.fix", out=out)
    return trunc(x)


modf_op: Op = Op(
    lambda x: np.modf(x)[0],
    lambda g, y, x: g,
    name="modf",
    formula="{0} - trunc({0})",
    elementwise=True,
    samples=within(0.2, 0.8),
)


@composed(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """`np.modf`: the fractional part, with slope 1, and the whole part, which is flat.

    Shapes: two of that of `x`. Gradient: ``g`` of the fractional part.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.modf(x)[0] * 3)(2.25)
    array(3.)
    """
    return modf_op(x), trunc(x)


@composed(np.divmod)
def divmod(a: Any, b: Any) -> tuple[Any, Any]:
    """`np.divmod`: `np.floor_divide` and `np.remainder` at once.

    Shapes: `a` and `b` broadcast, twice. Gradient: that of `remainder`: ``g`` for `a`, ``-g * (a // b)`` for `b`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda a, b: mg.divmod(a, b)[1], argnums=(0, 1))(7.0, 2.0)
    (array(1.), array(-3.))
    """
    return floor_divide(a, b), np.remainder(a, b)


@composed(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """`np.frexp`: the mantissa as a tensor, the exponent as integers.

    Shapes: two of that of `x`. Gradient: of the mantissa ``g / 2**exponent``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.frexp(x)[0])(6.0)
    array(0.125)
    """
    _, exponent = np.frexp(x.detach().numpy())
    return ldexp(x, -exponent), exponent


nan_to_num_op: Op = Op(
    lambda x, **fill: np.nan_to_num(x, **fill),
    lambda g, y, x, **fill: np.where(np.isfinite(x), g, 0.0),
    name="nan_to_num",
    elementwise=True,
    samples=calls(lambda rng: sample(rng.normal(size=(2, 3))), lambda rng: sample(rng.normal(size=3), nan=1.0)),
)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`np.nan_to_num`: numbers in place of NaN and infinities; no gradient where it replaced one.

    Shapes: that of `x`. Gradient: ``g`` where `x` is finite, 0 elsewhere.

    Raises
    ------
    TypeError
        With ``copy=False``: a tensor is never changed in place.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.nan_to_num(x).sum())(np.array([1.0, np.nan]))
    array([1., 0.])
    """
    if not copy:
        raise TypeError("np.nan_to_num of a tensor can't honour copy=False: it gives a new tensor, and changes none")
    return nan_to_num_op(x, nan=nan, posinf=posinf, neginf=neginf)


@composed(np.real)
def real(val: Any) -> Any:
    """`np.real` of real numbers: themselves.

    Shapes: that of `val`. Gradient: ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(mg.real)(2.0)
    array(1.)
    """
    return val


@composed(np.imag)
def imag(val: Any) -> Any:
    """`np.imag` of real numbers: zeros.

    Shapes: that of `val`. Gradient: 0.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: x + mg.imag(x))(2.0)
    array(1.)
    """
    return np.zeros_like(val)


@composed(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """`np.real_if_close` of real numbers: themselves.

    Shapes: that of `a`. Gradient: ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(mg.real_if_close)(2.0)
    array(1.)
    """
    return a
