"""From whatever a user has to an array of real numbers, or to an error that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np

from . import dispatch
from .messages import check_differentiable, refuse_mask, shorten


def as_real_array(data: Any, dtype: Any = None) -> np.ndarray:
    """`data` as an array of real numbers, or an error that says what is wrong with it."""
    refuse_mask(data, "a tensor")
    if dispatch.any_tracked(data):
        raise TypeError(
            "a tensor that requires a gradient is in the data, and would lose it: use np.stack or np.concatenate to join tensors, or .detach()"
        )
    try:
        array = np.asarray(dispatch.values(data), dtype=dtype)
    except ValueError as error:
        rows = (
            [str(len(row)) if isinstance(row, Sized) else "none (a number)" for row in data]
            if np.iterable(data)
            else []
        )
        told = f"; its rows have lengths {shorten(', '.join(rows))}" if len(set(rows)) > 1 else ""
        raise ValueError(f"this data is no array of numbers{told} ({error})") from None
    if array.dtype.kind == "c":
        check_differentiable(array.dtype)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"a tensor holds real numbers; this data, a {type(data).__name__}, became an array of dtype {array.dtype}: "
            "convert or encode it first"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
