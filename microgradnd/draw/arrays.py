"""An array as plain data: its numbers while they are few, else its range, its mean and a coarse grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

KEEP = 64  # elements up to which every number is kept
GRID = (6, 12)  # rows and columns of the coarse grid of a larger array
DIGITS = 9  # significant digits: a float32 survives them exactly


@dataclass(frozen=True, slots=True)
class Array:
    """What a picture needs to know of an array.

    Attributes
    ----------
    shape, dtype
        As NumPy has them, the dtype by name.
    values
        The elements in C order, for up to `KEEP` (64) of them; None for larger arrays.
    least, greatest, mean
        Of the finite elements; None where there are none.
    odd
        How many elements are NaN or infinite.
    grid
        Means over blocks, at most 6 rows by 12 columns, of larger arrays (leading axes flattened
        into rows); None where `values` are given. A block without finite elements is NaN.
    """

    shape: tuple[int, ...]
    dtype: str
    values: tuple[float, ...] | None
    least: float | None
    greatest: float | None
    mean: float | None
    odd: int
    grid: tuple[tuple[float, ...], ...] | None

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size


def summarise(array: np.ndarray) -> Array:
    """`array` as plain data; an array of any size, dtype and layout.

    >>> summarise(np.array([[1.0, -2.0]])).values
    (1.0, -2.0)
    >>> summarise(np.zeros((100, 50))).values is None
    True
    """
    numbers = array.astype(np.float64) if array.dtype.kind in "biu" or array.dtype.itemsize != 8 else array
    finite = np.isfinite(numbers)
    odd = int(array.size - np.count_nonzero(finite))
    picked = numbers[finite] if odd else numbers
    least, greatest, mean = (
        (_round(picked.min()), _round(picked.max()), _round(_mean(picked))) if picked.size else (None, None, None)
    )
    few = array.size <= KEEP
    values = tuple(_round(v) for v in numbers.ravel().tolist()) if few else None
    grid = None if few else _grid(np.where(finite, numbers, 0.0) if odd else numbers, finite if odd else None)
    return Array(array.shape, array.dtype.name, values, least, greatest, mean, odd, grid)


def _mean(finite: np.ndarray) -> float:
    with np.errstate(over="ignore"):
        mean = float(finite.mean())
    return mean if np.isfinite(mean) else float((finite / finite.size).sum())


def _round(value: Any) -> float:
    return float(f"{float(value):.{DIGITS}g}")


def _grid(numbers: np.ndarray, finite: np.ndarray | None) -> tuple[tuple[float, ...], ...]:
    table = numbers.reshape(-1, numbers.shape[-1])
    counts = np.ones(1) if finite is None else finite.reshape(table.shape).astype(float)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        means = _blocks(table) / _blocks(np.broadcast_to(counts, table.shape))
    return tuple(tuple(map(_round, row)) for row in means.tolist())


def _blocks(table: np.ndarray) -> np.ndarray:
    for axis, most in enumerate(GRID):
        n = table.shape[axis]
        table = np.add.reduceat(table, np.arange(min(n, most)) * n // min(n, most), axis=axis)
    return table
