"""Reading by index, its transpose (adding into zeros by index), and writing into a new array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..backward import sum_to
from ..core import Node, Op, sample
from ..dispatch import any_tracked, as_tensors, composed, implements, refuse, refuses, values
from ..messages import describe, refuse_mask
from ._samples import calls, normal
from .arithmetic import where
from .shape import as_array, ravel

__all__ = [
    "choose",
    "compress",
    "extract",
    "piecewise",
    "put",
    "select",
    "take",
    "take_along_axis",
]

# -- the index itself --------------------------------------------------------------------------


def is_basic(index: Any) -> bool:
    """Whether NumPy answers this index with a view."""
    return all(map(_is_basic_part, index)) if isinstance(index, tuple) else _is_basic_part(index)


def _is_basic_part(part: Any) -> bool:
    return (
        (isinstance(part, int | np.integer | slice) and not isinstance(part, bool)) or part is None or part is Ellipsis
    )


def _reads_once(index: Any) -> bool:
    """Whether an index surely reads no element twice: a view, or one mask."""
    advanced = [p for p in (index if isinstance(index, tuple) else (index,)) if not _is_basic_part(p)]
    return not advanced or (len(advanced) == 1 and np.asarray(advanced[0]).dtype == bool)


def _freeze(part: Any) -> Any:
    """Part of an index as what NumPy makes of it, in memory that nobody else can change."""
    if isinstance(part, tuple):
        return tuple(p if _is_basic_part(p) else _freeze(list(p) if isinstance(p, tuple) else p) for p in part)
    if not isinstance(part, Node | np.ndarray | Sequence) or isinstance(part, str):
        return part
    refuse_mask(part, "x[index]")
    array = np.array(values(part))
    return array if array.size or isinstance(part, np.ndarray | Node) else array.astype(np.intp)


def read(x: Any, index: Any) -> Any:
    """``x[index]``, for every index that NumPy knows."""
    return getitem(x, index=index if is_basic(index) else _freeze(index))


# -- reading, and adding into zeros ------------------------------------------------------------


def _scatter(g: Any, index: Any, shape: tuple[int, ...], once: bool = False) -> Any:
    out = np.zeros(shape, g.dtype)
    if once or _reads_once(index):
        out[index] = g
        return out
    places = _places(index, shape)
    if places is None and g.size > out.size:  # to number all that could be read is little work beside
        places = np.arange(out.size).reshape(shape)[index]
    if places is None:
        np.add.at(out, index, g)
    else:  # on one axis, NumPy's ufunc.at is some five times faster than with rows or several indices
        np.add.at(out.reshape(-1), places.reshape(-1), np.reshape(g, -1))
    return out


def _places(index: Any, shape: tuple[int, ...]) -> Any:
    """Where the elements read stand in the raveled array, for the usual kinds of index; else None."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if isinstance(p, np.ndarray | int | np.integer)]
    if not all(np.asarray(p).dtype.kind in "iu" for p in arrays):
        return None
    if len(arrays) == len(parts) == len(shape):
        inside = [np.asarray(p) % n for p, n in zip(parts, shape, strict=True)]
        return np.ravel_multi_index(tuple(np.broadcast_arrays(*inside)), shape)
    full = slice(None)
    if len(arrays) == 1 and all(p is arrays[0] or (isinstance(p, slice) and p == full) for p in parts):
        axis = next(i for i, p in enumerate(parts) if p is arrays[0])
        tail = math.prod(shape[axis + 1 :])
        rows = np.arange(math.prod(shape[:axis]))[:, None] * shape[axis] + np.reshape(arrays[0] % shape[axis], -1)
        return rows[..., None] * tail + np.arange(tail)
    return None


_INDICES: list[Any] = [
    0,
    -1,
    slice(None, None, -2),
    (slice(1, 3), None, 1),
    (..., 0),
    np.array([0, 0, 1]),
    np.array([[0, -1], [1, 3]]),
    (slice(None), np.array([2, 2, -1])),
    (np.array([[0], [2]]), np.array([0, 1])),
    (np.array([0, 0]), slice(0, 2)),
    (np.array([1, 1]), None, 0),
    np.array([True, False, True, True]),
    (np.array([True, False, True, True]), np.array([0, 0, 1])),
    True,
]

getitem: Op = Op(
    lambda x, index, once=False: x[index],
    lambda g, y, x, index, once=False: scatter(g, index=index, shape=x.shape, once=once),
    name="getitem",
    formula="{0}[{index}]",
    samples=lambda rng: (sample(rng.normal(size=(4, 3)), index=i) for i in _INDICES),
)
scatter: Op = Op(
    _scatter,
    lambda g, y, x, index, shape, once=False: getitem(g, index=index, once=once),
    name="scatter",
    formula="add {0} into zeros at [{index}]",
    samples=calls(
        normal((2, 3), index=slice(1, 3), shape=(4, 3)),
        normal((3, 3), index=np.array([0, 0, 1]), shape=(4, 3)),
        normal((3,), index=np.array([2, 0, 1]), shape=(3,), once=True),
        normal((2, 0), index=np.array([0, 0]), shape=(4, 0)),
    ),
)

# -- writing into a new array ------------------------------------------------------------------


def _put(x: Any, v: Any, index: Any) -> Any:
    y = np.array(x)
    y[index] = v
    return y


def _put_vjp_value(g: Any, y: Any, x: Any, v: Any, index: Any) -> Any:
    c = getitem(g, index=index)
    if not _reads_once(index):
        c = np.where(_last_written(x.shape, index), c, 0.0)
    extra = max(v.ndim - c.ndim, 0)  # NumPy drops leading axes of length one from what it assigns
    return sum_to(c, v.shape[extra:]).reshape(v.shape)


def _last_written(shape: tuple[int, ...], index: Any) -> Any:
    """Of the elements an index names, those whose value stays: the last where one is named twice."""
    turn = np.zeros(shape, np.intp)
    turns = np.arange(turn[index].size).reshape(turn[index].shape)
    turn[index] = turns
    return turn[index] == turns


put_op: Op = Op(
    _put,
    lambda g, y, x, v, index: put_op(g, 0.0, index=index),
    _put_vjp_value,
    name="put",
    formula="{0} with [{index}] = {1}",
    samples=calls(
        normal((4, 3), (), index=(1, 2)),
        normal((4, 3), (3,), index=slice(0, 2)),
        normal((4, 3), (2, 3), index=np.array([1, 3])),
        normal((4, 3), (3, 1), index=np.array([0, 2, 0])),
        normal((4, 3), (1, 3), index=0),
        normal((4,), (2,), index=np.array([True, False, True, False])),
    ),
)


def put(x: Any, index: Any, v: Any) -> Any:
    """A new array: `x` with ``[index] = v``, differentiable in both.

    Shapes: that of `x`. Gradient: ``g`` for `x`, 0 where it was overwritten; ``g[index]`` for `v`. Where an index is named
    twice the last value stays, and only that one gets a gradient.

    Parameters
    ----------
    x
        Array or tensor, which stays as it is.
    index
        Whatever NumPy indexes with.
    v
        Values, which broadcast to ``x[index]``.

    Raises
    ------
    TypeError
        If `v` requires a gradient and `x` holds integers, which would lose it.

    Examples
    --------
    >>> import microgradnd as mg
    >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = mg.put(x, 1, 10 * x[0])
    >>> y.data
    array([ 1., 10.,  3.])
    >>> y.sum().backward()
    >>> x.grad
    array([11.,  0.,  1.])
    """
    x = as_array(x)
    if x.dtype.kind != "f" and any_tracked(v):
        raise TypeError(
            f"put of {describe(v)} into dtype {x.dtype} would lose its gradient: make x floating, with .astype(float)"
        )
    return put_op(x, as_array(v), index=index if is_basic(index) else _freeze(index))


_WAY = "use y = mg.put(x, index, value), which gives a new tensor"
refuses(_WAY, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal)
refuses("use np.where(mask, x, y), np.broadcast_to or mg.put(y, index, x) for a new tensor", np.copyto)

# -- NumPy's other ways to pick ----------------------------------------------------------------


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Any:
    """`np.take`: the entries at `indices` along an axis, or of the raveled array.

    Shapes: `axis` is replaced by the shape of `indices`. Gradient: ``g`` added up where an element was read, 0 where
    none was.

    Raises
    ------
    IndexError
        If an index is out of range, in mode "raise".
    ValueError
        For a mode other than "raise", "wrap" and "clip".

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.take(x, [0, 0, 2]).sum())(np.ones(3))
    array([2., 0., 1.])
    """
    refuse("np.take", out=out)
    a, places = as_array(a), np.asarray(values(indices))
    if axis is None or not a.ndim:
        a, axis = ravel(a), axis or 0
    axis = normalize_axis_index(axis, a.ndim)
    if places.dtype == bool or not places.size:  # as NumPy: not a mask here, but the integers 0 and 1
        places = places.astype(np.intp)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"mode is {mode!r}; expected 'raise', 'wrap' or 'clip'")
    if mode != "raise" and a.shape[axis]:
        places = places % a.shape[axis] if mode == "wrap" else np.clip(places, 0, a.shape[axis] - 1)
    return read(a, (*(slice(None),) * axis, places))


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """`np.take_along_axis`: entries along an axis, chosen anew for every line along it.

    Shapes: that of `indices`, broadcast against `arr` but for `axis`. Gradient: ``g`` added up where an element was
    read, 0 where none was.

    Raises
    ------
    ValueError
        If `indices` has another number of axes than `arr`.
    IndexError
        If `indices` aren't integers, or out of range.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.take_along_axis(x, np.array([[1]]), 1).sum())(np.ones((1, 3)))
    array([[0., 1., 0.]])
    """
    return pick_along(arr, np.asarray(values(indices)), axis)


def pick_along(arr: Any, indices: np.ndarray, axis: int | None, once: bool = False) -> Any:
    """`take_along_axis`, told whether each element is read `once` at most: its transpose is faster then."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis_index(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(f"indices of shape {indices.shape} don't fit {arr.shape}: both need as many axes")
    if indices.dtype.kind not in "iu":
        raise IndexError(f"indices have dtype {indices.dtype}; expected integers")
    grid = [np.arange(n).reshape(-1, *(1,) * (arr.ndim - i - 1)) for i, n in enumerate(arr.shape)]
    grid[axis] = indices.copy()
    return getitem(arr, index=tuple(grid), **({"once": True} if once else {}))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """`np.compress`: the entries along an axis where a condition holds.

    Shapes: `axis` gets as long as the condition holds often. Gradient: ``g`` added up where an element was read, 0
    where none was.

    Raises
    ------
    ValueError
        If `condition` isn't a vector.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.compress([True, False, True], x).sum())(np.ones(3))
    array([1., 0., 1.])
    """
    refuse("np.compress", out=out)
    if np.ndim(values(condition)) != 1:
        raise ValueError(f"compress takes a condition with one axis; got shape {np.shape(values(condition))}")
    return take(a, np.flatnonzero(values(condition)), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """`np.extract`: the elements where a condition holds.

    Shapes: ``(k,)`` if the condition holds k times. Gradient: ``g`` added up where an element was read, 0 where none
    was.

    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.extract(x > 1, x).sum())(np.array([0.0, 2.0]))
    array([0., 1.])
    """
    return take(arr, np.flatnonzero(values(condition)))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """`np.select`: from the first choice whose condition holds, else the default.

    Shapes: conditions, choices and default broadcast. Gradient: ``g`` for the choice that was taken, 0 for the others.

    Raises
    ------
    ValueError
        If there aren't as many choices as conditions, or none.
    TypeError
        If a condition isn't boolean.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.select([x < 0, x > 1], [-x, 2 * x]).sum())(np.array([-1.0, 0.5, 2.0]))
    array([-1.,  0.,  2.])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(
            f"select takes a choice for each condition, and at least one: got {len(condlist)} conditions and {len(choicelist)} choices"
        )
    result = as_array(default) if isinstance(default, Node) else default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        condition = np.asarray(values(condition))
        if condition.dtype != bool:
            raise TypeError(f"select takes boolean conditions; one has dtype {condition.dtype}")
        result = where(condition, choice, result)
    return result


@composed(np.choose)
def choose(a: Any, choices: Any, out: None = None, mode: Any = "raise") -> Any:
    """`np.choose`: each element from the choice that the integer at its place numbers.

    Shapes: `a` and the choices broadcast. Gradient: ``g`` for the choice that was taken, 0 for the others.

    Raises
    ------
    ValueError
        If a number is out of range, in mode "raise".

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.choose([0, 1], [x, 2 * x]).sum())(np.ones(2))
    array([1., 2.])
    """
    refuse("np.choose", out=out)
    which, options = np.asarray(values(a)), list(choices)
    np.choose(which, range(len(options)), mode=mode)  # NumPy's errors for numbers out of range
    which = np.clip(which, 0, len(options) - 1) if mode == "clip" else which % len(options)
    return select([which == i for i in range(len(options))], options)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """`np.piecewise`: on each region of `x`, the function given for it; of several that hold, the last.

    Shapes: that of `x`. Gradient: through the function of the region an element lies in.

    Raises
    ------
    ValueError
        If there isn't a function for each condition, and at most one more for the rest.

    Examples
    --------
    >>> import microgradnd as mg
    >>> mg.grad(lambda x: mg.piecewise(x, [x > 0], [np.square, 0.0]).sum())(np.array([-1.0, 3.0]))
    array([0., 6.])
    """
    x, conditions = as_array(x), values(condlist)
    if np.isscalar(conditions) or (not isinstance(conditions[0], list | np.ndarray) and x.ndim):
        conditions = [conditions]
    regions = [np.broadcast_to(np.asarray(c, bool), x.shape) for c in conditions]
    if len(funclist) == len(regions) + 1:
        regions.append(~np.any(regions, axis=0))
    if len(funclist) != len(regions):
        raise ValueError(
            f"with {len(regions)} condition(s), either {len(regions)} or {len(regions) + 1} functions are expected"
        )
    y: Any = np.zeros_like(values(x))
    for region, function in zip(regions, funclist, strict=True):
        if region.any():
            y = put(y, region, function(read(x, region), *args, **kw) if callable(function) else function)
    return as_tensors(y)  # of constants alone it is flat
