"""Ops that move, repeat or join elements without changing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backward import sum_to
from ..core import Op, sample
from ..dispatch import implements
from ._samples import calls

__all__ = [
    "astype",
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "reshape",
    "swapaxes",
    "transpose",
]


def _one(dims: tuple[int, ...], /, **options: Any) -> Any:
    return lambda rng: sample(rng.normal(size=dims), **options)


reshape_op: Op = Op(
    lambda x, shape: x.reshape(shape),
    lambda g, y, x, shape: g.reshape(x.shape),
    name="reshape",
    formula="reshape({0}, {shape})",
    samples=calls(_one((2, 3), shape=(3, 2)), _one((2, 3), shape=-1), _one((), shape=(1, 1))),
)
transpose_op: Op = Op(
    np.transpose,
    lambda g, y, x, axes=None: np.transpose(g, None if axes is None else np.argsort([a % x.ndim for a in axes])),
    name="transpose",
    formula="{0}ᵀ",
    samples=calls(_one((2, 3)), _one((2, 3, 4), axes=(2, 0, 1)), _one((2, 3, 4), axes=(-1, 0, 1))),
)
broadcast_op: Op = Op(
    np.broadcast_to,
    lambda g, y, x, shape: sum_to(g, x.shape),
    name="broadcast_to",
    formula="broadcast({0}, {shape})",
    samples=calls(_one((3,), shape=(2, 3)), _one((2, 1), shape=(4, 2, 3)), _one((), shape=(2,))),
)
astype_op: Op = Op(
    lambda x, dtype: x.astype(dtype),
    lambda g, y, x, dtype: g.astype(x.dtype),
    name="astype",
    formula="{0}",
    samples=calls(_one((2, 3), dtype=np.dtype(np.float64))),
)


def _concatenate_vjp(g: Any, y: Any, *arrays: Any, axis: int = 0) -> list[Any]:
    ends = np.cumsum([a.shape[axis] for a in arrays])
    lead = (slice(None),) * (axis % arrays[0].ndim)
    return [g[(*lead, slice(end - a.shape[axis], end))] for a, end in zip(arrays, ends, strict=True)]


concatenate_op: Op = Op(
    lambda *arrays, axis=0: np.concatenate(arrays, axis),
    vjp=_concatenate_vjp,
    name="concatenate",
    samples=calls(
        lambda rng: sample(rng.normal(size=3), rng.normal(size=2)),
        lambda rng: sample(rng.normal(size=(2, 3)), rng.normal(size=(2, 1)), axis=-1),
    ),
)


@implements(np.reshape)
def reshape(a: Any, shape: Any, order: str = "C") -> Any:
    """`np.reshape`, in C order."""
    return reshape_op(a, shape=shape)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """`np.transpose`: permute the axes, by default reverse them."""
    return transpose_op(a) if axes is None else transpose_op(a, axes=tuple(axes))


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """`np.swapaxes`: exchange two axes."""
    axes = list(range(a.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return transpose(a, axes)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """`np.expand_dims`: insert axes of length one."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = a.ndim + len(axes)
    new = {i % ndim for i in axes}
    old = iter(a.shape)
    return reshape(a, tuple(1 if i in new else next(old) for i in range(ndim)))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """`np.broadcast_to`: repeat along new and length-one axes, without copying."""
    return broadcast_op(array, shape=shape)


@implements(np.concatenate)
def concatenate(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Any:
    """`np.concatenate`: join along an existing axis."""
    return concatenate_op(*arrays) if axis == 0 else concatenate_op(*arrays, axis=axis)


@implements(np.astype)
def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """`x` in another floating dtype."""
    dtype = np.dtype(dtype)
    return (
        astype_op(x, dtype=dtype)
        if dtype.kind == "f" or not getattr(x, "requires_grad", False)
        else x.data.astype(dtype)
    )
