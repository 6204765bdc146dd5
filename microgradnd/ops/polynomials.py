"""Polynomials by their coefficients, highest power first, as NumPy's old functions have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import composed, refuse

__all__ = ["polyadd", "polyder", "polyint", "polymul", "polysub", "polyval", "vander"]


@composed(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`np.polyval` by Horner's rule, differentiable in the coefficients and in `x`."""
    y: Any = 0.0 * x
    for i in range(len(p)):
        y = y * x + p[i]
    return y


@composed(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """`np.polyadd`: the sum of two polynomials."""
    short, long = sorted((np.reshape(a1, -1), np.reshape(a2, -1)), key=len)
    return np.concatenate([np.zeros(len(long) - len(short), short.dtype), short]) + long


@composed(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """`np.polysub`: the difference of two polynomials."""
    return polyadd(a1, np.negative(a2))


@composed(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """`np.polymul`: the product of two polynomials."""
    return np.convolve(np.reshape(a1, -1), np.reshape(a2, -1))


@composed(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """`np.polyder`: the m-th derivative of a polynomial."""
    if m < 0:
        raise ValueError(f"np.polyder takes m >= 0, not {m}: see np.polyint")
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1, dtype=p.dtype)
    return p


@composed(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """`np.polyint`: the m-th integral of a polynomial, with constants of integration 0."""
    refuse("np.polyint", k=k)
    if m < 0:
        raise ValueError(f"np.polyint takes m >= 0, not {m}: see np.polyder")
    for _ in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1, dtype=p.dtype), np.zeros(1, p.dtype)])
    return p


@composed(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """`np.vander`: the powers of `x` side by side."""
    n = len(x) if N is None else N
    powers = np.arange(n) if increasing else np.arange(n - 1, -1, -1)
    return np.power(np.expand_dims(x, 1), powers.astype(x.dtype))
