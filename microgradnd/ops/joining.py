"""Joining arrays, splitting them, and making them longer by repeating, padding or inserting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..core import Op
from ..dispatch import composed, implements, refuse, values
from ._samples import calls, normal
from .indexing import take
from .shape import (
    as_array,
    astype,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_to,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
)

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "pad",
    "repeat",
    "resize",
    "split",
    "stack",
    "tile",
    "trim_zeros",
    "unstack",
    "vsplit",
    "vstack",
]

# -- joining -----------------------------------------------------------------------------------


def _concatenate_vjp(g: Any, y: Any, *arrays: Any, axis: int = 0, **casting: Any) -> list[Any]:
    lead = (slice(None),) * (axis % arrays[0].ndim)
    ends = np.cumsum([a.shape[axis] for a in arrays]).tolist()
    return [g[(*lead, slice(end - a.shape[axis], end))] for a, end in zip(arrays, ends, strict=True)]


concatenate_op: Op = Op(
    lambda *arrays, axis=0, **casting: np.concatenate(arrays, axis, **casting),
    vjp=_concatenate_vjp,
    name="concatenate",
    samples=calls(normal((3,), (2,)), normal((2, 3), (2, 1), axis=-1), normal((0, 2), (3, 2), (1, 2))),
)


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: None = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """`np.concatenate`: join along an existing axis; None flattens first.

    Shapes: equal but along `axis`, where lengths add up. Gradient: each array gets its part of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.concatenate([x, 3 * x]).sum())(np.ones(2))
    array([4., 4.])
    """
    refuse("np.concatenate", out=out)
    parts = [as_array(a) for a in arrays]
    if axis is None:
        parts, axis = [ravel(a) for a in parts], 0
    options: dict[str, Any] = {} if axis == 0 else {"axis": axis}
    if dtype is not None:
        options["dtype"] = np.dtype(dtype)
        if options["dtype"].kind != "f":
            return np.concatenate([values(a) for a in parts], axis, dtype=dtype, casting=casting)
    if casting != "same_kind":
        options["casting"] = casting
    return concatenate_op(*parts, **options)


concat = concatenate


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """`np.stack`: join along a new axis.

    Shapes: k of one shape, to that with a k put in at `axis`. Gradient: each array gets its part of ``g``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.stack([x, 3 * x]).sum())(2.0)
    array(4.)
    """
    refuse("np.stack", out=out)
    parts = [as_array(a) for a in arrays]
    shapes = {a.shape for a in parts}
    if len(shapes) != 1:
        raise ValueError(f"stack joins arrays of one shape; these have {', '.join(map(str, sorted(shapes))) or 'none'}")
    axis = normalize_axis_index(axis, parts[0].ndim + 1)
    return concatenate([expand_dims(a, axis) for a in parts], axis, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """`np.vstack`: join below each other; vectors count as rows.

    Shapes: ``(m, ...)`` and ``(n, ...)`` to ``(m + n, ...)``, vectors as ``(1, n)``. Gradient: each array gets its part
    of ``g``.

    >>> import microgradnd as mg
    >>> mg.vstack([mg.tensor([1.0, 2.0]), np.ones((2, 2))]).shape
    (3, 2)
    """
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """`np.hstack`: join beside each other, vectors end to end.

    Shapes: ``(k, m, ...)`` and ``(k, n, ...)`` to ``(k, m + n, ...)``. Gradient: each array gets its part of ``g``.

    >>> import microgradnd as mg
    >>> mg.hstack([mg.tensor([[1.0, 2.0]]), np.ones((1, 3))]).shape
    (1, 5)
    """
    parts = [atleast_1d(a) for a in tup]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """`np.dstack`: join behind each other, along the third axis.

    Shapes: ``(k, l, m)`` and ``(k, l, n)`` to ``(k, l, m + n)``, matrices as ``(k, l, 1)``. Gradient: each array gets
    its part of ``g``.

    >>> import microgradnd as mg
    >>> mg.dstack([mg.tensor([[1.0, 2.0]]), np.ones((1, 2))]).shape
    (1, 2, 2)
    """
    return concatenate([atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """`np.column_stack`: join beside each other; vectors count as columns.

    Shapes: ``(k, m)`` and ``(k, n)`` to ``(k, m + n)``, vectors as ``(k, 1)``. Gradient: each array gets its part of
    ``g``.

    >>> import microgradnd as mg
    >>> mg.column_stack([mg.tensor([1.0, 2.0]), np.ones(2)]).shape
    (2, 2)
    """
    parts = [as_array(a) for a in tup]
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in parts], 1)


@implements(np.block)
def block(arrays: Any) -> Any:
    """`np.block`: an array from nested lists of blocks, the innermost joined along the last axis.

    Shapes: as of `concatenate`, from the last axis forward. Gradient: each array gets its part of ``g``.

    Raises
    ------
    ValueError
        If the lists are empty or nested unequally.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.block([[x, 2 * x], [0.0, x]]).sum())(2.0)
    array(4.)
    """

    def depth_of(part: Any) -> int:
        if not isinstance(part, list):
            return 0
        depths = {depth_of(p) for p in part}
        if len(depths) != 1:
            raise ValueError("block takes nested lists of one depth, none of them empty")
        return depths.pop() + 1

    def blocks(part: Any) -> list[Any]:
        return [b for p in part for b in blocks(p)] if isinstance(part, list) else [as_array(part)]

    depth = depth_of(arrays)
    ndim = max(depth, *(b.ndim for b in blocks(arrays)))

    def join(part: Any, level: int) -> Any:
        if isinstance(part, list):
            return concatenate([join(p, level - 1) for p in part], axis=-level)
        part = as_array(part)
        return reshape(part, (1,) * (ndim - part.ndim) + part.shape)

    return join(arrays, depth)


# -- splitting ---------------------------------------------------------------------------------


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`np.array_split`: cut into parts along an axis; the first ones are longer where it doesn't divide.

    Shapes: that of `ary`, shorter along `axis`. Gradient: the parts of ``g`` joined.

    >>> import microgradnd as mg
    >>> [part.shape for part in mg.array_split(mg.tensor([1.0, 2.0, 3.0]), 2)]
    [(2,), (1,)]
    """
    ary = as_array(ary)
    lead = (slice(None),) * normalize_axis_index(axis, ary.ndim)
    places = np.array_split(np.arange(ary.shape[axis]), indices_or_sections)
    if np.ndim(indices_or_sections):  # the cuts as given: they may be empty or go beyond the end
        cuts = [int(cut) for cut in indices_or_sections]
        bounds = zip([0, *cuts], [*cuts, ary.shape[axis]], strict=True)
    else:
        ends = np.cumsum([len(p) for p in places]).tolist()
        bounds = zip([0, *ends], ends, strict=False)
    return [ary[(*lead, slice(start, end))] for start, end in bounds]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`np.split`: cut into equal parts, or at indices, along an axis.

    Shapes: that of `ary`, shorter along `axis`. Gradient: the parts of ``g`` joined.

    Raises
    ------
    ValueError
        If the length can't be divided into equal parts.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.split(x, 2)[1].sum())(np.ones(4))
    array([0., 0., 1., 1.])
    """
    length = np.shape(ary)[axis]
    if not np.ndim(indices_or_sections) and length % int(indices_or_sections):
        raise ValueError(
            f"split can't cut {length} entries into {indices_or_sections} equal parts: np.array_split cuts unequal ones"
        )
    return array_split(ary, indices_or_sections, axis)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`np.vsplit`: cut along the first axis.

    Shapes: that of `ary`, shorter along axis 0. Gradient: the parts of ``g`` joined.

    Raises
    ------
    ValueError
        If `ary` has fewer than two axes.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.vsplit(x, 2)[1].sum())(np.ones((2, 2)))
    array([[0., 0.],
           [1., 1.]])
    """
    return split(_with_axes(ary, 2, "vsplit"), indices_or_sections, 0)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`np.hsplit`: cut along the second axis, vectors along their only one.

    Shapes: that of `ary`, shorter along axis 1. Gradient: the parts of ``g`` joined.

    Raises
    ------
    ValueError
        If `ary` has fewer than one axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.hsplit(x, 2)[1].sum())(np.ones((2, 2)))
    array([[0., 1.],
           [0., 1.]])
    """
    return split(_with_axes(ary, 1, "hsplit"), indices_or_sections, 1 if np.ndim(ary) > 1 else 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """`np.dsplit`: cut along the third axis.

    Shapes: that of `ary`, shorter along axis 2. Gradient: the parts of ``g`` joined.

    Raises
    ------
    ValueError
        If `ary` has fewer than three axes.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.dsplit(x, 2)[1].sum())(np.ones((1, 1, 2)))
    array([[[0., 1.]]])
    """
    return split(_with_axes(ary, 3, "dsplit"), indices_or_sections, 2)


def _with_axes(ary: Any, least: int, name: str) -> Any:
    ary = as_array(ary)
    if ary.ndim < least:
        raise ValueError(f"{name} only works on arrays of {least} or more dimensions, not on shape {ary.shape}")
    return ary


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """`np.unstack`: the slices along an axis, as a tuple.

    Shapes: that of `x` without `axis`, as often as that is long. Gradient: the parts of ``g`` stacked.

    Raises
    ------
    ValueError
        If `x` has no axis.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.unstack(x)[1].sum())(np.ones((2, 2)))
    array([[0., 0.],
           [1., 1.]])
    """
    if not np.ndim(x):
        raise ValueError("unstack needs an axis to cut along; the input is zero-dimensional")
    return tuple(moveaxis(x, axis, 0))


if hasattr(np, "unstack"):  # NumPy 2.1
    implements(np.unstack)(unstack)

# -- repeating ---------------------------------------------------------------------------------


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """`np.repeat`: each element several times, along an axis.

    Shapes: `axis` becomes `repeats` times as long. Gradient: ``g`` summed over the copies of each element.

    Raises
    ------
    ValueError
        If a number of repeats is negative.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.repeat(x, [1, 3]).sum())(np.ones(2))
    array([1., 3.])
    """
    a = as_array(a)
    if axis is None or not a.ndim:
        a, axis = ravel(a), axis or 0
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(values(repeats))
    if counts.size != 1:
        return take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)
    n = counts.item()
    if n < 0:
        raise ValueError(f"repeats may not contain negative values: got {n}")
    copies = broadcast_to(expand_dims(a, axis + 1), (*a.shape[: axis + 1], n, *a.shape[axis + 1 :]))
    return reshape(copies, (*a.shape[:axis], a.shape[axis] * n, *a.shape[axis + 1 :]))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """`np.tile`: the whole array side by side, so many times along each axis.

    Shapes: each axis becomes so many times as long. Gradient: ``g`` summed over the copies.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.tile(x, 3).sum())(np.ones(2))
    array([3., 3.])
    """
    A = as_array(A)
    times = tuple(reps) if np.ndim(reps) else (int(reps),)
    ndim = max(A.ndim, len(times))
    shape, times = (1,) * (ndim - A.ndim) + A.shape, (1,) * (ndim - len(times)) + times
    spread = reshape(A, tuple(n for length in shape for n in (1, length)))
    spread = broadcast_to(spread, tuple(n for pair in zip(times, shape, strict=True) for n in pair))
    return reshape(spread, tuple(t * n for t, n in zip(times, shape, strict=True)))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """`np.resize`: another size, filled by reading the elements over and over.

    Shapes: to `new_shape`. Gradient: ``g`` summed over the copies of each element, 0 for one that isn't read.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.resize(x, 3).sum())(np.ones(2))
    array([2., 1.])
    """
    flat = ravel(a)
    places = np.resize(np.arange(flat.size), new_shape)  # zeros where there is nothing to read
    return take(flat, places) if flat.size else np.zeros_like(flat, shape=places.shape)


# -- padding -----------------------------------------------------------------------------------


def _pad_vjp(g: Any, y: Any, x: Any, width: Any, constant_values: Any = 0) -> Any:
    return g[tuple(slice(before, before + n) for (before, _), n in zip(width, x.shape, strict=True))]


pad_op: Op = Op(
    lambda x, width, constant_values=0: np.pad(x, width, constant_values=constant_values),
    _pad_vjp,
    name="pad",
    formula="pad({0}, {width})",
    samples=calls(
        normal((2, 3), width=((1, 0), (2, 1))),
        normal((3,), width=((1, 2),), constant_values=(4.0, 5.0)),
        normal((0, 2), width=((1, 1), (0, 0))),
    ),
)


@composed(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`np.pad`: longer at both ends of each axis; modes constant, edge, reflect, symmetric and wrap.

    Shapes: longer by both pads along each axis. Gradient: ``g`` without its margin, where the margin repeats elements
    added to theirs.

    Parameters
    ----------
    array, pad_width
        As for NumPy: one number, ``(before, after)``, one pair per axis, or a dictionary of axes.
    mode
        The other modes of NumPy are refused.
    **kwargs
        ``constant_values`` for "constant"; ``reflect_type="even"`` for "reflect" and "symmetric".

    Raises
    ------
    TypeError
        For a mode, or a ``reflect_type``, without a gradient rule.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.pad(x, 1, mode="edge").sum())(np.ones(3))
    array([2., 1., 2.])
    """
    array = as_array(array)
    if not array.ndim:
        return array  # there is no axis to make longer
    if isinstance(pad_width, dict):
        given = {normalize_axis_index(axis, array.ndim): np.broadcast_to(w, 2) for axis, w in pad_width.items()}
        pad_width = [given.get(i, (0, 0)) for i in range(array.ndim)]
    width = tuple((int(before), int(after)) for before, after in np.broadcast_to(pad_width, (array.ndim, 2)))
    if mode == "constant":
        return pad_op(array, width=width, **kwargs)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise TypeError(
            f"np.pad of a tensor can't honour mode={mode!r}: use 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'"
        )
    if kwargs.get("reflect_type", "even") != "even":
        raise TypeError(f"np.pad of a tensor can't honour reflect_type={kwargs['reflect_type']!r}: use 'even'")
    for axis, w in enumerate(width):
        if any(w):
            array = take(array, np.pad(np.arange(array.shape[axis]), w, mode, **kwargs), axis)
    return array


# -- inserting and removing --------------------------------------------------------------------


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`np.append`: a new array with values joined at the end.

    Shapes: both flattened where `axis` is None, else as of `concatenate`. Gradient: each gets its part of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.append(x, 5.0).sum())(np.ones(2))
    array([1., 1.])
    """
    return concatenate((arr, values), axis=axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`np.insert`: a new array with values put before the given indices.

    Shapes: longer along `axis` by the number of values. Gradient: `arr` and `values` get their parts of ``g``.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x, v: (mg.insert(x, 1, v) * [1.0, 2.0, 3.0]).sum(), argnums=(0, 1))(np.ones(2), 5.0)
    (array([1., 3.]), array(2.))
    """
    arr, new = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis, n = normalize_axis_index(axis, arr.ndim), arr.shape[axis]
    if arr.dtype != new.dtype:
        new = astype(new, arr.dtype)
    new = reshape(new, (1,) * (arr.ndim - new.ndim) + new.shape)
    places = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    mask = places.dtype == bool
    places = np.flatnonzero(places) if mask else places
    if places.size == 1 and not mask:
        new = moveaxis(new, 0, axis) if places.ndim == 0 else new
        count = new.shape[axis]
    else:
        count = places.size
    new = broadcast_to(new, (*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    order = np.insert(np.arange(n), places, np.arange(n, n + count))
    return take(concatenate((arr, new), axis), order, axis)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """`np.delete`: a new array without the entries at the given indices.

    Shapes: shorter along `axis`. Gradient: ``g`` where an entry was kept, 0 where not.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.delete(x, 1).sum())(np.ones(3))
    array([1., 0., 1.])
    """
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """`np.trim_zeros`: without the zeros at the front ("f") and back ("b"), along the given axes.

    Shapes: shorter by the zeros. Gradient: ``g``, with 0 where it was trimmed.

    Raises
    ------
    ValueError
        For a `trim` of other letters than "f" and "b".

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.trim_zeros(x).sum())(np.array([0.0, 2.0, 0.0, 3.0]))
    array([0., 1., 1., 1.])
    """
    filt = as_array(filt)
    axes = range(filt.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, filt.ndim)
    if not set(trim.lower()) <= {"f", "b"}:
        raise ValueError(f"unexpected character(s) in trim: {trim!r}; expected 'f', 'b' or 'fb'")
    box = []
    for i, (n, found) in enumerate(zip(filt.shape, np.nonzero(values(filt)), strict=True)):
        first, last = (found.min(), found.max() + 1) if found.size else (n, n)
        front, back = ("f" in trim.lower() and i in axes), ("b" in trim.lower() and i in axes)
        box.append(slice(int(first) if front else 0, max(int(last) if back else n, int(first) if front else 0)))
    return filt[tuple(box)]
