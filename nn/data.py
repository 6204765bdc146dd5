"""Training data as arrays, or an error that says which row is wrong with it.

What `fit` accepts is what people have at hand: arrays, nested lists, data frames, tensors. Everything
that would train a silently wrong network (a NaN, a label that is no class, rows that don't pair up) is
refused before the first step.
"""

from __future__ import annotations

import numbers
import reprlib
from typing import Any

import numpy as np

import microgradnd as mg

from .arguments import refuse_mask

Array = np.ndarray[Any, np.dtype[Any]]


def as_array(data: Any, name: str) -> Array:
    """`data` as an array of real numbers with at least one axis, shared where that is possible.

    Parameters
    ----------
    data
        An array, nested list, data frame or tensor.
    name
        What the error calls it: ``"X"``.

    Raises
    ------
    TypeError
        For None, a sparse matrix, text or other objects.
    ValueError
        For a single number, or rows of different lengths.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "X").shape
    (2, 2)
    """
    if data is None:
        raise TypeError(f"{name} is None, expected an array with one row per sample")
    if hasattr(data, "tocsr"):
        raise TypeError(
            f"{name} is a sparse matrix ({type(data).__name__} of shape {data.shape}): networks here compute on "
            f"dense arrays; give {name}.toarray() if it fits into memory"
        )
    refuse_mask(data, name)
    if isinstance(data, mg.Tensor):
        return data.data
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: do all its rows have the same length? ({error})") from None
    if array.dtype == object:
        array = _from_objects(array, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}, {_expected(name)}")
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number, {array.item()!r}: give an array with one row per sample")
    return array


def _expected(name: str) -> str:
    return (
        "expected real numbers: encode text and categories first "
        f"(labels: np.unique({name}, return_inverse=True), or nn.MLPClassifier, which does it)"
    )


def _from_objects(array: Array, name: str) -> Array:
    """The numbers of an array of objects, as a frame with columns of several types gives it."""
    for at, value in np.ndenumerate(array):
        if not isinstance(value, numbers.Real | np.bool_):
            where = f"row {at[0]}" + (f", column {at[1]}" if len(at) == 2 else "") if at else "it"
            raise TypeError(f"{name} has dtype object, {where} holds {reprlib.repr(value)}, {_expected(name)}")
    return array.astype(float)


def check_finite(array: Array, name: str) -> None:
    """Raise ValueError naming row and column of the first NaN or infinity."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # one pass without a temporary; only a finite sum of finite values is finite
            return
    wrong = ~np.isfinite(array)
    count = int(wrong.sum())
    if count:
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"row {at[0]}" + (f", column {at[1]}" if len(at) == 2 else f", index {list(at[1:])}" if at[1:] else "")
        raise ValueError(
            f"{name} holds {array[at]} at {where} ({count} of its {array.size} values are not finite): "
            f"drop or impute them first (sklearn.impute.SimpleImputer)"
        )


def check_pair(X: Any, y: Any, names: tuple[str, str] = ("X", "y")) -> tuple[Array, Array]:
    """Inputs and targets as arrays with the same number of rows, all values finite.

    Examples
    --------
    >>> check_pair([[1.0], [2.0]], [0])
    Traceback (most recent call last):
    ValueError: X has 2 rows and y has 1: each sample needs one target
    """
    inputs, targets = as_array(X, names[0]), as_array(y, names[1])
    if len(inputs) != len(targets):
        raise ValueError(
            f"{names[0]} has {len(inputs)} rows and {names[1]} has {len(targets)}: each sample needs one target"
        )
    if not len(inputs):
        raise ValueError(f"{names[0]} has no rows: there is nothing to learn from")
    check_finite(inputs, names[0])
    check_finite(targets, names[1])
    return inputs, targets


def as_labels(y: Array, n_classes: int, name: str = "y") -> Array:
    """Class indices as integers in ``0 .. n_classes - 1``; a table of probabilities stays as it is.

    Raises
    ------
    ValueError
        For labels that are fractional, negative or too large, naming the first row.

    Examples
    --------
    >>> as_labels(np.array([0.0, 2.0]), 3)
    array([0, 2])
    >>> as_labels(np.array([0, 3]), 3)
    Traceback (most recent call last):
    ValueError: label 3 in row 1 of y, but the network has 3 outputs: labels go 0..2
    """
    if y.ndim == 2 and y.shape[1] == 1 and (n_classes > 1 or (y != 1).any()):  # else the probability of the only class
        y = y[:, 0]
    if y.ndim != 1:
        return y
    fractional = y != np.trunc(y)
    if fractional.any():
        row = int(fractional.argmax())
        raise ValueError(
            f"label {y[row]} in row {row} of {name} is no class index: give whole numbers 0..{n_classes - 1}, "
            "or one row of probabilities per sample; for a regression pass loss=nn.mse_loss"
        )
    outside = (y < 0) | (y >= n_classes)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            f"label {y[row]:.0f} in row {row} of {name}, but the network has {n_classes} output{'s' * (n_classes > 1)}: "
            + (
                f"labels go 0..{n_classes - 1}"
                if n_classes > 1
                else "give it one per class, or loss=nn.binary_cross_entropy"
            )
        )
    return y.astype(np.intp)
