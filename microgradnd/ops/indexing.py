"""Reading by index, and its transpose, adding into zeros by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Op, sample
from ._samples import calls

__all__: list[str] = []


def _scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, g.dtype)
    if is_basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def is_basic(index: Any) -> bool:
    """Whether NumPy answers this index with a view: then no element is read twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, int | np.integer | slice) or p is None or p is Ellipsis for p in parts) and not any(
        isinstance(p, bool) for p in parts
    )


_INDICES: list[Any] = [
    0,
    -1,
    slice(None, None, -2),
    (slice(1, 3), None, 1),
    np.array([0, 0, 1]),
    (np.array([[0], [2]]), np.array([0, 1])),
    (..., 0),
]

getitem: Op = Op(
    lambda x, index: x[index],
    lambda g, y, x, index: scatter(g, index=index, shape=x.shape),
    name="getitem",
    formula="{0}[{index}]",
    samples=lambda rng: (sample(rng.normal(size=(4, 3)), index=i) for i in _INDICES),
)
scatter: Op = Op(
    _scatter,
    lambda g, y, x, index, shape: g[index],
    name="scatter",
    formula="add {0} into zeros at [{index}]",
    samples=calls(
        lambda rng: sample(rng.normal(size=(2, 3)), index=slice(1, 3), shape=(4, 3)),
        lambda rng: sample(rng.normal(size=(3, 3)), index=np.array([0, 0, 1]), shape=(4, 3)),
    ),
)
