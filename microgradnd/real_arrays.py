"""From whatever a user has to an array of real numbers, or to an error that says what is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch
from .core import check_differentiable


def as_real_array(data: Any, dtype: Any = None) -> np.ndarray:
    """`data` as an array of real numbers, or an error that says what is wrong with it."""
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(
            "a masked array can't become a tensor, its mask would be lost: fill it first, with .filled(value)"
        )
    if dispatch.any_tracked(data):
        raise TypeError(
            "a tensor that requires a gradient is in the data, and would lose it: use np.stack or np.concatenate to join tensors, or .detach()"
        )
    try:
        array = np.asarray(dispatch.values(data), dtype=dtype)
    except ValueError as error:
        lengths = [np.shape(row)[:1] for row in data] if isinstance(data, list | tuple) else []
        rows = (
            f"; its rows have lengths {', '.join(str(n[0]) if n else 'none (a number)' for n in lengths)}"
            if len(set(lengths)) > 1
            else ""
        )
        raise ValueError(f"this data is no array of numbers{rows} ({error})") from None
    if array.dtype.kind == "c":
        check_differentiable(array.dtype)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"a tensor holds real numbers; this data, a {type(data).__name__}, became an array of dtype {array.dtype}: "
            "convert or encode it first"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
