"""Functions of one number, applied to every element: exponentials, logarithms, hyperbolics, flat ones."""

from __future__ import annotations

import numpy as np

from ..core import Op
from ._samples import within
from .slopes import over, scale

__all__ = [
    "ceil",
    "cos",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "rint",
    "sign",
    "sin",
    "tanh",
    "trunc",
]

exp: Op = Op(np.exp, lambda g, y, x: scale(g, y), elementwise=True, samples=within(-2, 2))
expm1: Op = Op(np.expm1, lambda g, y, x: scale(g, y + 1), elementwise=True, samples=within(-2, 2))
log: Op = Op(np.log, lambda g, y, x: over(g, x), elementwise=True, samples=within(0.5, 3), domain=(0, np.inf))
log1p: Op = Op(np.log1p, lambda g, y, x: over(g, 1 + x), elementwise=True, samples=within(-0.5, 3), domain=(-1, np.inf))
sin: Op = Op(np.sin, lambda g, y, x: g * np.cos(x), elementwise=True, samples=within(-3, 3))
cos: Op = Op(np.cos, lambda g, y, x: -g * np.sin(x), elementwise=True, samples=within(-3, 3))
# (1 - y)(1 + y) keeps the digits that 1 - y**2 cancels where tanh saturates.
tanh: Op = Op(np.tanh, lambda g, y, x: g * ((1 - y) * (1 + y)), elementwise=True, samples=within(-2, 2))
sign: Op = Op(np.sign, lambda g, y, x: 0 * g, elementwise=True, samples=within(0.2, 2))
floor: Op = Op(np.floor, lambda g, y, x: 0 * g, elementwise=True, samples=within(0.2, 0.8))
ceil: Op = Op(np.ceil, lambda g, y, x: 0 * g, elementwise=True, samples=within(0.2, 0.8))
trunc: Op = Op(np.trunc, lambda g, y, x: 0 * g, elementwise=True, samples=within(0.2, 0.8))
rint: Op = Op(np.rint, lambda g, y, x: 0 * g, elementwise=True, samples=within(0.1, 0.4))
