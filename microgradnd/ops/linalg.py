"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backward import sum_to
from ..core import Op, sample
from ._samples import calls

__all__ = [
    "matmul",
]


def _flip(m: Any) -> Any:
    return np.swapaxes(m, -1, -2)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The row or column that matmul made of a vector, and took away again, put back."""
    if b.ndim == 1:
        g, b = g[..., None], b[:, None]
    if a.ndim == 1:
        g, a = g[..., None, :], a[None, :]
    return g, a, b


def _matmul_vjp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim >= 2 == b.ndim:
        return g @ b.T
    gm, am, bm = _as_matrices(g, a, b)
    return sum_to(gm @ _flip(bm), am.shape).reshape(a.shape)


def _matmul_vjp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim >= 2 == b.ndim:  # one product instead of one per matrix of the stack
        return a.reshape(-1, a.shape[-1]).T @ g.reshape(-1, g.shape[-1]) if a.ndim > 2 else a.T @ g
    gm, am, bm = _as_matrices(g, a, b)
    return sum_to(_flip(am) @ gm, bm.shape).reshape(b.shape)


def _product(*shapes: tuple[int, ...]) -> Any:
    return lambda rng: sample(*(rng.normal(size=s) for s in shapes))


matmul: Op = Op(
    np.matmul,
    _matmul_vjp_a,
    _matmul_vjp_b,
    formula="{0} @ {1}",
    samples=calls(
        _product((2, 3), (3, 4)),
        _product((3,), (3,)),
        _product((3,), (3, 2)),
        _product((2, 3), (3,)),
        _product((4, 2, 3), (3, 2)),
        _product((2, 3), (4, 3, 2)),
        _product((5, 1, 2, 3), (4, 3, 2)),
        _product((3,), (4, 3, 2)),
        _product((4, 2, 3), (3,)),
        _product((2, 0), (0, 3)),
    ),
)
