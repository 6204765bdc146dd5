"""Arguments held to what they may be: an error names who asked, what was given and what would do."""

from __future__ import annotations

import numbers
import operator
from typing import Any

import numpy as np


def as_number(value: Any, name: str, interval: str) -> float:
    """`value` as a Python float, which leaves float32 arrays float32.

    Parameters
    ----------
    value, name
        A real number, and what the error calls it.
    interval
        Where it may lie, as mathematics writes it; NaN lies nowhere.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or outside of the interval.

    Examples
    --------
    >>> as_number(1, "momentum", "(0, 1]")
    1.0
    >>> as_number(1, "beta1", "[0, 1)")
    Traceback (most recent call last):
    ValueError: beta1=1, expected a number in [0, 1)
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is {type(value).__name__}, expected a number in {interval}")
    number = float(value)
    low, high = map(float, interval[1:-1].split(","))
    above = number > low if interval[0] == "(" else number >= low
    below = number < high if interval[-1] == ")" else number <= high
    if not (above and below):
        raise ValueError(f"{name}={value}, expected a number in {interval}")
    return number


def as_size(value: Any, name: str, least: int = 1) -> int:
    """`value` as an int of at least `least`.

    Examples
    --------
    >>> as_size(2.5, "Dense: n_out")
    Traceback (most recent call last):
    ValueError: Dense: n_out=2.5, expected a whole number from 1 on
    """
    try:
        size = operator.index(value)
    except TypeError:
        kind = ValueError if isinstance(value, numbers.Real) else TypeError
        raise kind(f"{name}={value!r}, expected a whole number from {least} on") from None
    if size < least or isinstance(value, bool):
        raise ValueError(f"{name}={value!r}, expected a whole number from {least} on")
    return size


def refuse_mask(array: Any, name: str) -> None:
    """Raise TypeError for a masked array: its mask would be lost."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost: fill it first, with .filled(value)")
