"""Sliding windows over an array, and the convolutions that sum over them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view as _numpy_windows

from ..core import Op
from ..dispatch import implements
from ._samples import calls, normal
from .indexing import scatter
from .shape import as_array, flip

__all__ = ["convolve", "correlate", "sliding_window_view"]


def _offsets(window: tuple[int, ...], axes: tuple[int, ...], shape: tuple[int, ...], ndim: int) -> Iterator[Any]:
    """For each place in the window: what of the array of this shape it sees, and its index among the windows."""
    for offset in itertools.product(*map(range, window)):
        seen = [slice(0, n) for n in shape[:ndim]]
        for axis, start in zip(axes, offset, strict=True):
            seen[axis] = slice(seen[axis].start + start, seen[axis].stop + start)
        yield tuple(seen), (..., *offset)


def _overlap_add(w: Any, window: tuple[int, ...], axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, w.dtype)
    for seen, place in _offsets(window, axes, w.shape, len(shape)):
        out[seen] += w[place]
    return out


windows_op: Op = Op(
    lambda x, window, axes: _numpy_windows(x, window, axes),
    lambda g, y, x, window, axes: overlap_add(g, window=window, axes=axes, shape=x.shape),
    name="sliding_window_view",
    formula="windows({0}, {window})",
    samples=calls(
        normal((5,), window=(3,), axes=(0,)),
        normal((3, 4), window=(2, 3), axes=(0, 1)),
        normal((2, 4), window=(2, 2), axes=(1, 1)),
    ),
)
overlap_add: Op = Op(
    _overlap_add,
    lambda g, y, w, window, axes, shape: windows_op(g, window=window, axes=axes),
    name="overlap_add",
    formula="add the windows {0}",
    samples=calls(
        normal((3, 3), window=(3,), axes=(0,), shape=(5,)),
        normal((2, 2, 2, 3), window=(2, 3), axes=(0, 1), shape=(3, 4)),
    ),
)


@implements(_numpy_windows)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """`np.lib.stride_tricks.sliding_window_view`: all windows of a shape, along new last axes; no element is copied.

    Shapes: ``(n,)`` to ``(n - window + 1, window)``, and so for each axis. Gradient: the windows of ``g`` added up
    where they overlap.

    Raises
    ------
    TypeError
        With ``writeable=True``: `mg.put` gives a changed copy.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.sliding_window_view(x, 2).sum())(np.ones(4))
    array([1., 2., 2., 1.])
    """
    if writeable:
        raise TypeError("sliding_window_view of a tensor can't honour writeable=True: use mg.put to change elements")
    x = as_array(x)
    window = tuple(int(n) for n in window_shape) if np.iterable(window_shape) else (int(window_shape),)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    return windows_op(x, window=window, axes=axes)


# -- convolution -------------------------------------------------------------------------------


def _first(n_a: int, n_v: int, mode: str) -> int:
    """Where the result of a mode begins in the full convolution."""
    short = min(n_a, n_v)
    return {"full": 0, "same": (short - 1) // 2, "valid": short - 1}[mode]


def _convolve_vjp(g: Any, a: Any, v: Any, mode: str) -> Any:
    """The cotangent of `a`: the correlation of the full convolution's cotangent with `v`."""
    start = _first(a.shape[0], v.shape[0], mode)
    full = scatter(g, index=slice(start, start + g.shape[0]), shape=(a.shape[0] + v.shape[0] - 1,))
    return np.convolve(full, v[::-1], "valid")


convolve_op: Op = Op(
    lambda a, v, mode="full": np.convolve(a, v, mode),
    lambda g, y, a, v, mode="full": _convolve_vjp(g, a, v, mode),
    lambda g, y, a, v, mode="full": _convolve_vjp(g, v, a, mode),
    name="convolve",
    formula="{0} ∗ {1}",
    samples=calls(
        *(normal((n,), (m,), mode=mode) for mode in ("full", "same", "valid") for n, m in ((5, 3), (2, 4), (1, 1)))
    ),
)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """`np.convolve`: the discrete convolution of two vectors.

    Shapes: ``(m,)`` and ``(n,)`` to ``(m + n - 1,)`` in mode "full". Gradient: ``correlate(g, v)`` for `a`, and the
    other way round.

    Raises
    ------
    ValueError
        If one isn't a vector or is empty, or for another `mode`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.convolve(a, [1.0, 2.0])[1])(np.ones(2))
    array([2., 1.])
    """
    a, v = (x if x.ndim else x.reshape(1) for x in map(as_array, (a, v)))
    _check_vectors(a, v, mode, "convolve")
    return convolve_op(a, v) if mode == "full" else convolve_op(a, v, mode=mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """`np.correlate`: the convolution of one vector with the other reversed.

    Shapes: ``(m,)`` and ``(n,)`` to ``(m - n + 1,)`` in mode "valid". Gradient: ``convolve(g, v)`` for `a`.

    Raises
    ------
    ValueError
        If one isn't a vector or is empty, or for another `mode`.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda a: mg.correlate(a, [1.0, 2.0])[0])(np.ones(2))
    array([1., 2.])
    """
    a, v = as_array(a), as_array(v)
    _check_vectors(a, v, mode, "correlate")
    longer, shorter = a.shape[0], v.shape[0]
    if mode == "same" and longer < shorter:  # NumPy exchanges the two and reverses what comes out
        return flip(convolve_op(v, flip(a), mode=mode))
    return convolve_op(a, flip(v), mode=mode)


def _check_vectors(a: Any, v: Any, mode: Any, name: str) -> None:
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError(f"{name} takes two vectors; got shapes {a.shape} and {v.shape}")
    if not (a.shape[0] and v.shape[0]):
        raise ValueError(f"{name} takes vectors that aren't empty; got shapes {a.shape} and {v.shape}")
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"mode is {mode!r}; expected 'full', 'same' or 'valid'")
