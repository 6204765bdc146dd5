"""Numbers and arrays as short text."""

from __future__ import annotations

from typing import Any

import numpy as np

FEW = 12  # elements up to which an array is written out in a line of text


def short(value: float) -> str:
    """A number in at most some eight characters, with three or four digits that matter.

    >>> [short(v) for v in (0.5, -0.0, 1234567.0, 1e-300, float("nan"), 12.0, 0.123456)]
    ['0.5', '0', '1.235e+06', '1e-300', 'nan', '12', '0.1235']
    """
    return f"{value + 0.0:.4g}"  # a zero has no sign here


def short_array(array: Any) -> str:
    """An array as nested brackets while it is small, else its shape and range.

    >>> short_array(np.eye(2)), short_array(np.zeros((100, 50)))
    ('[[1, 0], [0, 1]]', '(100, 50) array in [0, 0]')
    """
    array = np.asarray(array)
    if array.size <= FEW:
        return nested(array.tolist())
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    ends = (
        f" in [{short(float(finite.min()))}, {short(float(finite.max()))}]" if finite.size else " of no finite number"
    )
    return f"{array.shape} array{ends}"


def nested(numbers: Any) -> str:
    """Nested lists of numbers as text."""
    if isinstance(numbers, list | tuple):
        return f"[{', '.join(map(nested, numbers))}]"
    return short(float(numbers))
