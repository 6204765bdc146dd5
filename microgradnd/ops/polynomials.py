"""Polynomials by their coefficients, highest power first, as NumPy's old functions have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dispatch import composed, refuse

__all__ = ["polyadd", "polyder", "polyint", "polymul", "polysub", "polyval", "vander"]


@composed(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`np.polyval` by Horner's rule, differentiable in the coefficients and in `x`.

    Shapes: ``(n,)`` coefficients; the result has that of `x`. Gradient: ``sum(g * x**power)`` for each coefficient, ``g
    * p'(x)`` for `x`.

    >>> import microgradnd as mg
    >>> mg.grad(mg.polyval, argnums=(0, 1))(np.array([1.0, 2.0, 3.0]), 2.0)
    (array([4., 2., 1.]), array(6.))
    """
    y: Any = 0.0 * x
    for i in range(len(p)):
        y = y * x + p[i]
    return y


@composed(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """`np.polyadd`: the sum of two polynomials.

    Shapes: ``(m,)`` and ``(n,)`` to the longer. Gradient: the last m, or n, of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.polyadd(p, [1.0, 1.0])[1])(np.array([3.0]))
    array([1.])
    """
    short, long = sorted((np.reshape(a1, -1), np.reshape(a2, -1)), key=len)
    return np.concatenate([np.zeros(len(long) - len(short), short.dtype), short]) + long


@composed(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """`np.polysub`: the difference of two polynomials.

    Shapes: ``(m,)`` and ``(n,)`` to the longer. Gradient: the last m of ``g``, and the last n of ``-g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.polysub([1.0, 1.0], p)[1])(np.array([3.0]))
    array([-1.])
    """
    return polyadd(a1, np.negative(a2))


@composed(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """`np.polymul`: the product of two polynomials.

    Shapes: ``(m,)`` and ``(n,)`` to ``(m + n - 1,)``. Gradient: that of `convolve`.

    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.polymul(p, [1.0, 2.0]).sum())(np.array([1.0, 1.0]))
    array([3., 3.])
    """
    return np.convolve(np.reshape(a1, -1), np.reshape(a2, -1))


@composed(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """`np.polyder`: the m-th derivative of a polynomial.

    Shapes: ``(n,)`` to ``(n - m,)``. Gradient: each coefficient's ``g`` times its power.

    Raises
    ------
    ValueError
        If `m` is negative.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.polyder(p).sum())(np.array([1.0, 1.0, 1.0]))
    array([2., 1., 0.])
    """
    if m < 0:
        raise ValueError(f"np.polyder takes m >= 0, not {m}: see np.polyint")
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1, dtype=p.dtype)
    return p


@composed(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """`np.polyint`: the m-th integral of a polynomial, with constants of integration 0.

    Shapes: ``(n,)`` to ``(n + m,)``. Gradient: each coefficient's ``g`` over its power after integrating.

    Raises
    ------
    ValueError
        If `m` is negative.
    TypeError
        With constants of integration `k`: add them to the result.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda p: mg.polyint(p).sum())(np.array([1.0, 1.0]))
    array([0.5, 1. ])
    """
    refuse("np.polyint", k=k)
    if m < 0:
        raise ValueError(f"np.polyint takes m >= 0, not {m}: see np.polyder")
    for _ in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1, dtype=p.dtype), np.zeros(1, p.dtype)])
    return p


@composed(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """`np.vander`: the powers of `x` side by side.

    Shapes: ``(n,)`` to ``(n, N)``. Gradient: ``sum(g * power * x**(power - 1))`` over each row.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.vander(x, 3).sum())(np.array([2.0]))
    array([5.])
    """
    if np.ndim(x) != 1:
        raise ValueError(f"vander takes one axis of numbers; got shape {np.shape(x)}")
    n = len(x) if N is None else N
    powers = np.arange(n) if increasing else np.arange(n - 1, -1, -1)
    return np.power(np.expand_dims(x, 1), powers.astype(x.dtype))
